"""What the interface does when it starts: deploys that a crash cut off are ended as failed."""

import logging
import shutil

from server.deploys.changes import contexts
from server.deploys.deployer import restore_branch
from server.deploys.parts import Parts
from server.errors import Conflict, KuramaError, NotFound
from server.models import App, Deploy, DeployKind, DeployState, ReleaseState

log = logging.getLogger(__name__)
_INTERRUPTED = {
    "code": "interrupted",
    "message": "Kurama stopped in the middle of this deploy",
    "hint": "The release before it goes on serving. Push again.",
}


def recover(parts: Parts) -> int:
    """End every deploy whose holder is gone; return how many there were.

    A deploy that runs in another process keeps its lock, and is left alone.
    """
    folder = contexts(parts.settings.home)
    shutil.rmtree(folder, ignore_errors=True)
    ended = 0
    for deploy in parts.deploys.unended():
        try:
            app = parts.apps.get(deploy.app_id)
            with parts.deploys.lock(app.id, wait=0):
                _end(parts, app, deploy)
                ended += 1
        except (Conflict, NotFound):
            continue
    return ended


def _end(parts: Parts, app: App, deploy: Deploy) -> None:
    log.warning("deploy %s of %s was cut off", deploy.id, app.name)
    if deploy.release_id is not None:
        release = parts.releases.get(deploy.release_id)
        if release.state is ReleaseState.LIVE:
            # It was past the point where anything could fail.
            parts.deploys.end(deploy.id, DeployState.SUCCEEDED, output=deploy.output)
            return
        parts.releases.fail(release.id)
    if deploy.kind is DeployKind.PUSH and deploy.branch and deploy.new_commit:
        try:
            restore_branch(parts, app, deploy.branch, deploy.new_commit)
        except KuramaError as error:
            log.warning("the branch of %s: %s", app.name, error.message)
    parts.deploys.end(deploy.id, DeployState.FAILED, error=_INTERRUPTED, output=deploy.output)

"""Routes: what runs, how much of it, releases, and going back to one."""

from collections.abc import Collection
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query

from server.api import schemas
from server.api.auth import AppDep, CallerDep
from server.api.context import Context, Ctx
from server.deploys.changes import Restart, Rollback, Scale, check_quantities
from server.deploys.rollout import current, formation
from server.errors import Conflict, NotFound
from server.models import App, Release, ReleaseState, Replica, ReplicaState
from server.names import process_kind

router = APIRouter(tags=["processes"])


@router.get("/apps/{name}/processes")
def list_processes(context: Ctx, app: AppDep) -> schemas.Processes:
    """The app's replicas as they are now, and how many are wanted."""
    parts = context.parts
    release = parts.releases.live(app)
    if release is None:
        return schemas.Processes(replicas=[], formation={}, commands={})
    image = parts.releases.image(release)
    routed = parts.router.addresses(app.name)
    found = current(parts.worker.replicas(app.name), release)
    replicas = [_as_seen(replica, routed) for replica in found]
    return schemas.Processes(
        replicas=[schemas.ReplicaOut.of(one, context.usage.of(one.instance)) for one in replicas],
        formation=formation(image, parts.apps.formation(app)),
        commands=dict(image.processes),
    )


@router.post("/apps/{name}/scale", status_code=202)
def scale(
    new: schemas.NewFormation, context: Ctx, app: AppDep, caller: CallerDep
) -> schemas.Changed:
    """Begin to run so many replicas of each named process."""
    release = _live(context, app)
    for process in new.quantities:
        process_kind(process)
    check_quantities(app, context.parts.releases.image(release), new.quantities)
    deploy = context.deployer.submit(app, caller.account, Scale(new.quantities))
    return schemas.Changed(deploy=schemas.DeployOut.of(deploy))


@router.post("/apps/{name}/restart", status_code=202)
def restart(context: Ctx, app: AppDep, caller: CallerDep) -> schemas.Changed:
    """Begin to replace every replica by a new one of the same release."""
    _live(context, app)
    deploy = context.deployer.submit(app, caller.account, Restart())
    return schemas.Changed(deploy=schemas.DeployOut.of(deploy))


@router.get("/apps/{name}/releases")
def list_releases(
    context: Ctx, app: AppDep, count: Annotated[int, Query(ge=1, le=1000)] = 20
) -> schemas.Releases:
    """The app's latest releases, newest first."""
    found = context.parts.releases.latest(app, count)
    return schemas.Releases(
        releases=[schemas.ReleaseOut.of(one.release, one.commit) for one in found]
    )


@router.post("/apps/{name}/rollback", status_code=202)
def roll_back(
    to: schemas.RollbackTo, context: Ctx, app: AppDep, caller: CallerDep
) -> schemas.Changed:
    """Begin to release an earlier image and config again, as a new release."""
    releases = context.parts.releases
    live = _live(context, app)
    target = releases.by_version(app, to.version) if to.version else releases.before(app, live)
    if target.state is ReleaseState.FAILED:
        raise Conflict(
            f"{target.label} failed: it never served", "`kurama releases` shows the others."
        )
    if target.id == live.id:
        raise Conflict(f"{target.label} is live already", "Name another release.")
    deploy = context.deployer.submit(app, caller.account, Rollback(target))
    return schemas.Changed(deploy=schemas.DeployOut.of(deploy))


def _as_seen(replica: Replica, routed: Collection[str]) -> Replica:
    """A replica that visitors reach runs, while its worker still waits whether it stays up."""
    answers = f"{replica.host}:{replica.port}" in routed and not replica.has_exited
    if replica.state is ReplicaState.STARTING and answers:
        return replace(replica, state=ReplicaState.RUNNING)
    return replica


def _live(context: Context, app: App) -> Release:
    release = context.parts.releases.live(app)
    if release is None:
        raise NotFound(f"{app.name} has no release yet", "Deploy it first: git push kurama main.")
    return release

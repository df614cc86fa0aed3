"""What git's hooks ask, on behalf of one push: may it come in, and then: deploy it.

The answers are lines for the person who pushes, then `exit N` for the hook.
"""

import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from server.api.context import Context, Ctx
from server.api.deploys import follow
from server.api.pushes import Push
from server.deploys import changes
from server.deploys.narrator import Narrator, clean
from server.errors import DeployFailed, KuramaError, PreflightFailed
from server.repos.repository import DEPLOY_BRANCHES, NO_COMMIT, Repository

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Header()]


@router.post("/internal/pre-receive")
async def pre_receive(
    request: Request,
    context: Ctx,
    x_kurama_push: Text,
    x_kurama_secret: Text,
    x_git_objects: Text = "",
    x_git_alternates: Text = "",
    x_git_quarantine: Text = "",
) -> StreamingResponse:
    """Check the push before any reference is moved."""
    push = context.pushes.find(x_kurama_push, x_kurama_secret)
    quarantine = {
        "GIT_OBJECT_DIRECTORY": x_git_objects,
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": x_git_alternates,
        "GIT_QUARANTINE_PATH": x_git_quarantine,
    }
    environment = {name: value for name, value in quarantine.items() if value}
    updates = [line.split() for line in (await request.body()).decode().splitlines()]

    def lines() -> Iterator[str]:
        said: list[str] = []
        narrator = Narrator(said.append)
        try:
            _preflight(context, push, updates, environment, narrator)
        except KuramaError as error:
            narrator.failure(error)
            yield from said
            yield "exit 1"
            return
        yield from said
        yield "exit 0"

    return StreamingResponse((f"{line}\n" for line in lines()), media_type="text/plain")


@router.post("/internal/post-receive")
async def post_receive(
    request: Request, context: Ctx, x_kurama_push: Text, x_kurama_secret: Text
) -> StreamingResponse:
    """Deploy the commit that the branch was moved to."""
    push = context.pushes.find(x_kurama_push, x_kurama_secret)
    (old, new, branch) = (await request.body()).decode().split()[:3]

    async def lines() -> AsyncIterator[str]:
        change = changes.Push(branch, old, new, push.contexts.pop(new, None))
        try:
            deploy = await run_in_threadpool(
                context.deployer.submit, push.app, push.account, change
            )
        except KuramaError as error:
            said: list[str] = []
            Narrator(said.append).failure(error)
            push.failure = reason(error)
            yield "\n".join([*said, "exit 1", ""])
            return
        progress = context.deployer.progress(deploy.id)
        assert progress is not None  # noqa: S101 - submit has just made it
        async for line in follow(progress):
            if line is not None:
                yield f"{line}\n"
        if progress.error:
            push.failure = reason(progress.error)
        yield f"exit {1 if progress.error else 0}\n"

    return StreamingResponse(lines(), media_type="text/plain")


def _preflight(
    context: Context,
    push: Push,
    updates: list[list[str]],
    environment: dict[str, str],
    narrator: Narrator,
) -> None:
    """Refuse what can't be deployed; leave the tree of what can where the deploy finds it."""
    commit = deployable(updates)
    parts = context.parts
    repository = Repository(parts.repository_path(push.app.name), environment)
    repository.check_tree(commit)
    tree = changes.contexts(parts.settings.home) / secrets.token_hex(8)
    tree.mkdir()
    push.contexts[commit] = tree
    repository.check_out(commit, tree)
    config = {variable.name: variable.value for variable in parts.apps.config(push.app)}
    plan = parts.worker.preflight(push.app.name, tree, changes.for_detection(config))
    narrator.step(f"Python app detected ({plan.source}, Python {plan.python_version})")
    for note in plan.notes:
        narrator.output(note)


def deployable(updates: list[list[str]]) -> str:
    """The one commit that these updates want deployed; PreflightFailed for anything else."""
    wrong = [reference for _, _, reference in updates if reference not in DEPLOY_BRANCHES]
    if wrong:
        name = wrong[0].removeprefix("refs/heads/").removeprefix("refs/tags/")
        kind = "tag" if wrong[0].startswith("refs/tags/") else "branch"
        raise PreflightFailed(
            f"{name} is a {kind} that deploys nothing: only main (or master) does",
            f"To deploy it: git push kurama {name}:main",
        )
    if len(updates) != 1:
        raise PreflightFailed(
            "One push deploys one branch", "Push main, or master, but not both at once."
        )
    _, new, reference = updates[0]
    if new == NO_COMMIT:
        raise PreflightFailed(
            f"{reference.removeprefix('refs/heads/')} can't be deleted: it is what is deployed",
            "To end the app: kurama scale web=0, or kurama destroy.",
        )
    return new


def reason(error: KuramaError) -> str:
    """One line for git's report."""
    kind = "deploy failed" if isinstance(error, DeployFailed) else "not deployed"
    first = clean(error.message).partition("\n")[0]
    return f"{kind}: {first}"[:200]

"""Routes: apps and their config."""

from fastapi import APIRouter, Response

from server import names
from server.api import schemas
from server.api.auth import AppDep, CallerDep
from server.api.context import Context, Ctx
from server.deploys.changes import ConfigChange
from server.errors import Conflict, NotFound
from server.models import App, ConfigVariable

router = APIRouter(tags=["apps"])
# How long `destroy` waits for a deploy that is under way.
_DESTROY_PATIENCE_S = 60.0


@router.get("/apps")
def list_apps(context: Ctx, caller: CallerDep) -> schemas.Apps:
    """The apps that the caller may see, by name."""
    apps = context.parts.apps.all(caller.account)
    return schemas.Apps(apps=[_shown(context, app) for app in apps])


@router.post("/apps", status_code=201)
def create_app(new: schemas.NewApp, context: Ctx, caller: CallerDep) -> schemas.AppSummary:
    """Make an app with an empty repository and a route."""
    parts = context.parts
    app = parts.apps.create(names.app_name(new.name), caller.account)
    parts.create_repository(app)
    parts.router.add(app.name)
    return schemas.AppSummary(app=_shown(context, app))


@router.get("/apps/{name}")
def show_app(context: Ctx, app: AppDep) -> schemas.AppSummary:
    """One app."""
    return schemas.AppSummary(app=_shown(context, app))


@router.delete("/apps/{name}", status_code=204)
def destroy_app(context: Ctx, app: AppDep) -> Response:
    """Stop the app and delete it with its repository, images and data; its records stay."""
    parts = context.parts
    with parts.deploys.lock(app.id, _DESTROY_PATIENCE_S):
        parts.router.remove(app.name)
        parts.worker.remove(app.name)
        parts.delete_repository(app)
        parts.apps.delete(app)
    return Response(status_code=204)


@router.get("/apps/{name}/config")
def show_config(context: Ctx, app: AppDep) -> schemas.Config:
    """The app's variables; a secret's value is null."""
    return schemas.Config(config=[_variable(one) for one in context.parts.apps.config(app)])


@router.patch("/apps/{name}/config", status_code=202)
def change_config(
    patch: schemas.ConfigPatch, context: Ctx, app: AppDep, caller: CallerDep
) -> schemas.Changed:
    """Set and remove variables. With a live release this is a deploy, which this begins."""
    changes = [_new_variable(name, new) for name, new in patch.set.items()]
    removals = [names.variable_name(name) for name in patch.unset]
    if not changes and not removals:
        raise Conflict("Nothing to change", "Name what to set or to unset.")
    known = {variable.name for variable in context.parts.apps.config(app)}
    unknown = [name for name in removals if name not in known]
    if unknown:
        raise NotFound(f"{app.name} has no variable {', '.join(unknown)}", "See `kurama config`.")
    if app.release_id is None:
        context.parts.apps.change_config(app, changes, removals)
        return schemas.Changed(deploy=None)
    deploy = context.deployer.submit(app, caller.account, ConfigChange(changes, removals))
    return schemas.Changed(deploy=schemas.DeployOut.of(deploy))


def _shown(context: Context, app: App) -> schemas.AppOut:
    parts = context.parts
    return schemas.app_out(
        app,
        url=parts.settings.app_url(app.name),
        git_url=f"{parts.settings.interface_url}/git/{app.name}.git",
    )


def _new_variable(name: str, new: schemas.NewVariable) -> ConfigVariable:
    secret = names.looks_secret(name) if new.secret is None else new.secret
    return ConfigVariable(
        names.variable_name(name), names.variable_value(name, new.value), is_secret=secret
    )


def _variable(variable: ConfigVariable) -> schemas.VariableOut:
    return schemas.VariableOut(
        name=variable.name,
        value=None if variable.is_secret else variable.value,
        secret=variable.is_secret,
    )

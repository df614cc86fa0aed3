"""Who asks: a bearer token, or the same token as git's Basic password."""

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Request

from server.api.context import Ctx
from server.errors import Forbidden, InvalidName, NotFound, Unauthenticated
from server.models import Account, App
from server.names import app_name


@dataclass(frozen=True, slots=True)
class Caller:
    """An account and the token it came with."""

    account: Account
    token_id: int


def _caller(request: Request, context: Ctx) -> Caller:
    token = token_in(request.headers.get("authorization", ""))
    if not token:
        raise Unauthenticated("Not logged in", "Run `kurama login`.")
    account, token_id = context.accounts.authenticate(token)
    return Caller(account, token_id)


def token_in(header: str) -> str:
    """The token in an Authorization header, or ""."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return decoded.partition(":")[2]
    return ""


CallerDep = Annotated[Caller, Depends(_caller)]


def _admin(caller: CallerDep) -> Caller:
    if not caller.account.is_admin:
        raise Forbidden("Only an admin may do this")
    return caller


AdminDep = Annotated[Caller, Depends(_admin)]


def find_app(context: Ctx, caller: CallerDep, name: Annotated[str, Path()]) -> App:
    """The app `name` if the caller may see it; NotFound also for what can't be a name."""
    try:
        app_name(name)
    except InvalidName as error:
        raise NotFound(f"There is no app {name[:80]!r}", "`kurama apps` lists yours.") from error
    return context.parts.apps.visible_to(caller.account, name)


AppDep = Annotated[App, Depends(find_app)]

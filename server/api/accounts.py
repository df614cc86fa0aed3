"""Routes: logging in, tokens, accounts."""

from datetime import timedelta

from fastapi import APIRouter, Response

from server import duration, names
from server.api import schemas
from server.api.auth import AdminDep, CallerDep
from server.api.context import Ctx
from server.errors import RequestRejected, Unauthenticated

router = APIRouter(tags=["accounts"])
_LONGEST_LIFE = timedelta(days=3650)


@router.post("/login")
def log_in(login: schemas.Login, context: Ctx) -> schemas.LoggedIn:
    """Exchange an e-mail address and a password for a token."""
    key = login.email.lower()
    context.throttle.check(key)
    try:
        account = context.accounts.check_password(key, login.password)
    except Unauthenticated:
        context.throttle.failed(key)
        raise
    lifetime = context.parts.settings.accounts.token_lifetime
    token, text = context.accounts.issue_token(account, login.name, lifetime)
    return schemas.LoggedIn(
        token=text, expires_at=token.expires_at, account=schemas.AccountOut.of(account)
    )


@router.post("/logout", status_code=204)
def log_out(context: Ctx, caller: CallerDep) -> Response:
    """Revoke the token that this request came with."""
    context.accounts.revoke(caller.account, caller.token_id)
    return Response(status_code=204)


@router.get("/whoami")
def who_am_i(caller: CallerDep) -> schemas.AccountOut:
    """The account that the token belongs to."""
    return schemas.AccountOut.of(caller.account)


@router.put("/password", status_code=204)
def change_password(new: schemas.NewPassword, context: Ctx, caller: CallerDep) -> Response:
    """Replace one's own password."""
    context.throttle.check(caller.account.email)
    try:
        context.accounts.check_password(caller.account.email, new.old)
    except Unauthenticated:
        context.throttle.failed(caller.account.email)
        raise
    context.accounts.set_password(caller.account.email, new.new)
    return Response(status_code=204)


@router.get("/tokens")
def list_tokens(context: Ctx, caller: CallerDep) -> schemas.Tokens:
    """One's own tokens."""
    tokens = context.accounts.tokens(caller.account)
    return schemas.Tokens(tokens=[schemas.TokenOut.of(token) for token in tokens])


@router.post("/tokens", status_code=201)
def create_token(new: schemas.NewToken, context: Ctx, caller: CallerDep) -> schemas.LoggedIn:
    """Make one more token of one's own, for a machine say; its text is in this answer only."""
    lifetime = context.parts.settings.accounts.token_lifetime
    if new.expires is not None:
        lifetime = _lifetime(new.expires)
    token, text = context.accounts.issue_token(caller.account, new.name, lifetime)
    return schemas.LoggedIn(
        token=text, expires_at=token.expires_at, account=schemas.AccountOut.of(caller.account)
    )


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(token_id: int, context: Ctx, caller: CallerDep) -> Response:
    """End one of one's own tokens at once."""
    context.accounts.revoke(caller.account, token_id)
    return Response(status_code=204)


@router.get("/accounts")
def list_accounts(context: Ctx, _admin: AdminDep) -> schemas.Accounts:
    """Everybody who may log in."""
    accounts = context.accounts.all()
    return schemas.Accounts(accounts=[schemas.AccountOut.of(account) for account in accounts])


@router.post("/accounts", status_code=201)
def create_account(new: schemas.NewAccount, context: Ctx, _admin: AdminDep) -> schemas.AccountOut:
    """Let somebody else log in."""
    account = context.accounts.create(names.email(new.email), new.password, is_admin=new.is_admin)
    return schemas.AccountOut.of(account)


def _lifetime(text: str) -> timedelta:
    """How long a token shall work; RequestRejected where the text doesn't say that."""
    try:
        lifetime = duration.parse(text)
    except ValueError:
        raise RequestRejected(f"{text!r} is no length of time", "Write 90d, say, or 12h.") from None
    if not timedelta() < lifetime <= _LONGEST_LIFE:
        raise RequestRejected(f"A token can't work for {text}", "Write 90d, say; at most 3650d.")
    return lifetime

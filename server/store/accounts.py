"""Accounts, their passwords and their tokens."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

import argon2

from server.errors import Conflict, NotFound, Unauthenticated
from server.models import Account, Token
from server.store.database import Database

_TOKEN_PREFIX = "kurama_"  # noqa: S105 - what a token starts with, so that scanners find a leaked one
# A token's last use is written at most this often: it is for people to read.
_TOUCH_EVERY = timedelta(minutes=5)


class Accounts:
    """Who may log in, and with which tokens.

    Passwords are kept as argon2id hashes. Tokens carry 256 random bits, so their SHA-256 is enough
    to keep: there is nothing to guess that a slow hash would slow down.
    """

    def __init__(self, database: Database, hasher: argon2.PasswordHasher | None = None) -> None:
        self._database = database
        self._hasher = hasher or argon2.PasswordHasher()
        # Checked in place of an unknown account's, so that the answer takes as long.
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))

    def create(self, email: str, password: str, *, is_admin: bool = False) -> Account:
        """Add an account; Conflict when the e-mail address has one."""
        password_hash = self._hasher.hash(password)
        try:
            with self._database.transaction() as connection:
                row = self._database.queries.insert_account(
                    connection, email=email, password_hash=password_hash, is_admin=is_admin
                )
        except Conflict:
            raise Conflict(f"{email} has an account already", "Log in, or take another.") from None
        return Account(**row)

    def all(self) -> list[Account]:
        """Every account, by e-mail address."""
        with self._database.transaction() as connection:
            rows = list(self._database.queries.list_accounts(connection))
        return [Account(**row) for row in rows]

    def exist(self) -> bool:
        """Whether anybody can log in at all."""
        with self._database.transaction() as connection:
            return bool(self._database.queries.count_accounts(connection))

    def check_password(self, email: str, password: str) -> Account:
        """Return the account that `email` and `password` belong to; Unauthenticated if none."""
        with self._database.transaction() as connection:
            row = self._database.queries.find_account_by_email(connection, email=email)
        known = row["password_hash"] if row else self._nobody
        try:
            self._hasher.verify(known, password)
        except argon2.exceptions.VerificationError:
            row = None
        if row is None:
            raise Unauthenticated("Wrong e-mail address or password", "Try `kurama login` again.")
        return Account(row["id"], row["email"], row["is_admin"], row["created_at"])

    def set_password(self, email: str, password: str) -> None:
        """Replace an account's password; NotFound when there is no such account."""
        with self._database.transaction() as connection:
            row = self._database.queries.find_account_by_email(connection, email=email)
            if row is None:
                raise NotFound(f"No account {email}")
            self._database.queries.set_password(
                connection, account_id=row["id"], password_hash=self._hasher.hash(password)
            )

    def issue_token(self, account: Account, name: str, lifetime: timedelta) -> tuple[Token, str]:
        """Make a token for `account`; the text is returned here and nowhere else."""
        text = _TOKEN_PREFIX + secrets.token_urlsafe(32)
        with self._database.transaction() as connection:
            row = self._database.queries.insert_token(
                connection,
                account_id=account.id,
                name=name,
                digest=_digest(text),
                expires_at=datetime.now(UTC) + lifetime,
            )
        return Token(**row), text

    def authenticate(self, text: str) -> tuple[Account, int]:
        """Return a token's account and the token's id; Unauthenticated if the token is dead."""
        with self._database.transaction() as connection:
            row = self._database.queries.find_account_by_token(connection, digest=_digest(text))
            if row is None:
                raise Unauthenticated(
                    "The token is unknown, expired or revoked", "Run `kurama login`."
                )
            if (
                row["last_used_at"] is None
                or datetime.now(UTC) - row["last_used_at"] > _TOUCH_EVERY
            ):
                self._database.queries.touch_token(connection, token_id=row["token_id"])
        account = Account(row["id"], row["email"], row["is_admin"], row["created_at"])
        return account, row["token_id"]

    def tokens(self, account: Account) -> list[Token]:
        """The account's tokens, oldest first."""
        with self._database.transaction() as connection:
            rows = list(self._database.queries.list_tokens(connection, account_id=account.id))
        return [Token(**row) for row in rows]

    def revoke(self, account: Account, token_id: int) -> None:
        """End a token of this account at once; NotFound if it has none of that id."""
        with self._database.transaction() as connection:
            gone = self._database.queries.delete_token(
                connection, account_id=account.id, token_id=token_id
            )
        if not gone:
            raise NotFound(f"You have no token {token_id}", "`kurama tokens` lists yours.")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()

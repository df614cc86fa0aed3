"""What the routes work with, put together once by the interface."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from server.api.pushes import Pushes
from server.api.throttle import Throttle
from server.deploys.deployer import Deployer
from server.deploys.parts import Parts
from server.deploys.usage import Usage
from server.pipeline.tail import Tails
from server.store.accounts import Accounts
from server.store.database import Database
from server.store.records import Records


@dataclass(frozen=True, slots=True)
class Context:
    """The objects behind the routes."""

    parts: Parts
    database: Database
    accounts: Accounts
    records: Records
    deployer: Deployer
    pushes: Pushes
    tails: Tails
    throttle: Throttle
    usage: Usage


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


Ctx = Annotated[Context, Depends(_context)]

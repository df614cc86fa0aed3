"""What the command line fails with: each error is one block on stderr and an exit code.

CommandFailed           1   what was asked for did not work
├ WrongUsage            2
├ NotLoggedIn           3
├ NotFound              4
└ ServerUnreachable     5
"""


class CommandFailed(Exception):
    """`message`: what happened, to what. `hint`: what to do about it, or ""."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class WrongUsage(CommandFailed):
    """It was asked in a way that means nothing."""

    exit_code = 2


class NotLoggedIn(CommandFailed):
    """No token, or one that the server does not take."""

    exit_code = 3


class NotFound(CommandFailed):
    """It isn't there, or isn't yours."""

    exit_code = 4


class ServerUnreachable(CommandFailed):
    """Nobody answers at the server's address."""

    exit_code = 5

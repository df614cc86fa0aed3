"""The operator's commands: handed over to the server's own program, where it is installed."""

import importlib.util
import os
import sys

import click

from kurama_cli.errors import CommandFailed

_ANY = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": ["-"]}


def _hand_over(name: str, arguments: list[str]) -> None:
    """Become the server's program for this command."""
    if importlib.util.find_spec("server") is None:
        raise CommandFailed(
            f"`kurama {name}` runs the platform, which is not installed here",
            "On the machine that is to run it: pip install 'kurama[server,embedded]'.",
        )
    command = [sys.executable, "-m", "server.operate", name, *arguments]
    os.execv(sys.executable, command)  # noqa: S606 - an argument list, no shell


def _command(name: str, help_text: str) -> click.Command:
    @click.command(name, context_settings=_ANY, add_help_option=False, help=help_text)
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def command(arguments: tuple[str, ...]) -> None:
        _hand_over(name, list(arguments))

    return command


up = _command("up", "Start the platform on this machine.")
down = _command("down", "Stop it, apps included.")
status = _command("status", "Show the platform's parts and how they are.")
doctor = _command("doctor", "Look at what this machine has and lacks.")

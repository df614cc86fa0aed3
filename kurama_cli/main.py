"""The `kurama` command: its subcommands by name, and the edge where errors become output.

A subcommand's module is imported when it is called: `kurama --help` imports none.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from kurama_cli.errors import CommandFailed
from kurama_cli.output import clean

# Name, where it is, and the first line of its help: shown without importing it.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("operator:up", "Start the platform on this machine."),
    "down": ("operator:down", "Stop it, apps included."),
    "status": ("operator:status", "Show the platform's parts and how they are."),
    "doctor": ("operator:doctor", "Look at what this machine has and lacks."),
    "login": ("accounts:login", "Log in to a Kurama server."),
    "logout": ("accounts:logout", "Log out and revoke the token."),
    "whoami": ("accounts:whoami", "Show who is logged in, and where."),
    "password": ("accounts:password", "Change your password."),
    "tokens": ("accounts:tokens", "List your tokens; make one, revoke one."),
    "users": ("accounts:users", "List accounts; add one (admins)."),
    "create": ("apps:create", "Make an app and a git remote for it."),
    "apps": ("apps:apps", "List your apps."),
    "destroy": ("apps:destroy", "Delete an app with all that it has."),
    "open": ("apps:open_app", "Open an app in the browser."),
    "config": ("config:config", "Show, set and unset an app's variables."),
    "ps": ("processes:ps", "Show an app's replicas."),
    "scale": ("processes:scale", "Run more or fewer replicas."),
    "restart": ("processes:restart", "Replace every replica by a new one."),
    "releases": ("releases:releases", "List an app's releases."),
    "rollback": ("releases:rollback", "Go back to an earlier release."),
    "deploy": ("releases:deploy", "Push the current commit and follow its deploy."),
    "logs": ("logs:logs", "Show an app's records, stored and live."),
    "completion": ("completion:completion", "Print a completion script for your shell."),
}
_INTERRUPTED = 130


class Commands(click.Group):
    """A group that imports a command when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, or None if there is no such one."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(
            importlib.import_module(f"kurama_cli.commands.{module}"), attribute
        )
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, with a suggestion where it is misspelt."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean `kurama {near[0]}`?" if near else " See `kurama --help`."
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--server",
    metavar="URL",
    envvar="KURAMA_SERVER",
    help="The server, where it isn't the one of the git remote or of the last login.",
)
@click.version_option(package_name="kurama", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, server: str | None) -> None:
    """Deploy Flask apps by git push, on machines of your own.

    An app is named by -a APP, by -r REMOTE, or by the folder's only kurama git remote.
    """
    context.obj = server


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exit with its status."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command line; return its exit status. Errors are printed, never raised."""
    try:
        done: Any = cli.main(list(arguments), prog_name="kurama", standalone_mode=False)
    except CommandFailed as error:
        _print(error)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader, `head` say, has seen enough; nothing may be flushed to it any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("KURAMA_DEBUG") == "1":
            raise
        _print(
            CommandFailed(
                f"An error inside kurama: {type(error).__name__}: {error}",
                "KURAMA_DEBUG=1 shows where. Please report it.",
            )
        )
        return 1
    return done if isinstance(done, int) else 0


def _print(error: CommandFailed) -> None:
    if os.environ.get("KURAMA_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    click.secho("Error: ", fg="red", nl=False, err=True)
    click.echo(clean(error.message), err=True)
    if error.hint:
        click.echo(clean(error.hint), err=True)


if __name__ == "__main__":
    main()

"""Completion for the shell."""

import click
from click.shell_completion import get_completion_class

from kurama_cli.errors import CommandFailed


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a completion script for your shell.

    For bash: kurama completion bash > ~/.local/share/bash-completion/completions/kurama
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise CommandFailed(f"No completion is known for {shell}")
    root = context.find_root().command
    click.echo(kind(root, {}, "kurama", "_KURAMA_COMPLETE").source())

"""`bootimg completion`: the script that makes a shell complete bootimg's command line."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  bootimg completion bash > ~/.local/share/bash-completion/completions/bootimg
    zsh:   bootimg completion zsh > a file named _bootimg in a folder of $fpath
    fish:  bootimg completion fish > ~/.config/fish/completions/bootimg.fish
    """
    from bootimg.cli.main import bootimg

    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"click has no completion for {shell}")
    click.echo(completion(bootimg, {}, "bootimg", "_BOOTIMG_COMPLETE").source())

"""`bootimg stream`: the metadata that installers read."""

from __future__ import annotations

import click

from bootimg.cli.commands.stream.check import diff, lint
from bootimg.cli.commands.stream.index import index
from bootimg.cli.commands.stream.make import bump, generate, merge
from bootimg.cli.commands.stream.mirror import mirror


@click.group("stream", context_settings={"max_content_width": 100})
def command() -> None:
    """Make and check the metadata that installers read.

    A stream's JSON file lists where the images of each platform and architecture are.
    """


for each in (generate, bump, lint, diff, merge, index, mirror):
    command.add_command(each)

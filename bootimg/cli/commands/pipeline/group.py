"""`bootimg pipeline`: the team's pipeline on Tekton."""

from __future__ import annotations

import click

from bootimg.cli.commands.pipeline.check import check
from bootimg.cli.commands.pipeline.objects import objects
from bootimg.cli.commands.pipeline.plan import plan
from bootimg.cli.commands.pipeline.render import render
from bootimg.cli.commands.pipeline.results import results


@click.group("pipeline", context_settings={"max_content_width": 100})
def command() -> None:
    """Run the stages of a stream's builds on Tekton.

    The Tasks call the same verbs as a person does; `plan` and `results` are for them.
    """


for each in (objects, render, check, plan, results):
    command.add_command(each)

"""`bootimg pipeline objects`: the Tasks and the Pipeline."""

from __future__ import annotations

import click

from bootimg.cli.options.common import common
from bootimg.cli.output.session import App


@click.command(
    epilog="""\
\b
Examples:
  bootimg pipeline objects | kubectl apply --namespace coreos -f -"""
)
@common
def objects(app: App) -> None:
    """Print the Tasks and the Pipeline that this bootimg ships, as YAML for `kubectl apply`."""
    from bootimg.pipelines.shipped import shipped_objects, shipped_yaml

    app.result({"items": shipped_objects()} if app.json else {}, shipped_yaml().rstrip())

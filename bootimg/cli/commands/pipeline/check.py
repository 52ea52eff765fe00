"""`bootimg pipeline check`: whether a cluster has the Tasks and the Pipeline of this bootimg."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bootimg.cli.options.common import common
from bootimg.cli.options.streamoptions import json_file
from bootimg.cli.output.session import App
from bootimg.cli.output.table import table
from bootimg.errors import ExitCode
from bootimg.printable import printable

if TYPE_CHECKING:
    from bootimg.pipelines.compare import Compared


@click.command(
    epilog="""\
\b
Examples:
  bootimg pipeline check --namespace coreos
  kubectl get tasks,pipelines -o json | bootimg pipeline check --objects -"""
)
@common
@click.option("--objects", type=json_file, metavar="FILE",
              help="What `kubectl get -o json` printed.  [default: what it prints now]")  # fmt: skip
@click.option("--namespace", metavar="NAME", help="The namespace that kubectl looks in.")
def check(app: App, objects: Path | None, namespace: str | None) -> None:
    """Compare a cluster's Tasks and Pipeline with those of this bootimg; exit with 1 if they differ."""
    from bootimg.pipelines.cluster import cluster_objects, read_objects
    from bootimg.pipelines.compare import ObjectState, compare
    from bootimg.pipelines.shipped import shipped_objects

    there = cluster_objects(namespace) if objects is None else read_objects(objects)
    found = compare(shipped_objects(), there)
    good = all(each.state is ObjectState.SAME for each in found)
    document = {"good": good, "objects": [each.as_dict() for each in found]}
    app.result(document, "\n".join(_lines(found, app.width)))
    if not good:
        click.get_current_context().exit(ExitCode.FAILED)


def _lines(found: Sequence[Compared], width: int | None) -> Iterator[str]:
    yield from table(
        [(str(each.state), each.kind, each.name, each.version or "") for each in found], width=width
    )
    for each in found:
        yield from (printable(f"{each.kind} {each.name}: {path}") for path in each.differences)

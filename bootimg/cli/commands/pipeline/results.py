"""`bootimg pipeline results`: a verb's result as the results of a Tekton task."""

from __future__ import annotations

from pathlib import Path

import click

from bootimg.cli.options.common import common
from bootimg.cli.options.streamoptions import json_file
from bootimg.cli.output.session import App
from bootimg.printable import printable


@click.command(
    epilog="""\
\b
Examples:
  bootimg verify latest --json > verify.json
  bootimg pipeline results verify.json --into /tekton/results good findings=findings.length"""
)
@common
@click.argument("file", type=json_file)
@click.argument("words", metavar="NAME[=FIELD]…", nargs=-1, required=True)
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR",
              help="The folder of the results: each becomes a file.")  # fmt: skip
def results(app: App, file: Path, words: tuple[str, ...], into: Path) -> None:
    """Write fields of a document, which a verb printed with --json, as results of a task.

    FIELD has keys and numbers of list items with dots between them; `length` is a list's.
    """
    from bootimg.pipelines.results import read_document, read_results, write_results

    found = read_results(read_document(file), words)
    write_results(into, found)
    app.result(found, "\n".join(printable(f"{name} {text}") for name, text in found.items()))

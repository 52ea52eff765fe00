"""`bootimg stream mirror`: the files that a stream names, copied into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bootimg.arch import Arch
from bootimg.cli.commands.bucketcommands import arches_option
from bootimg.cli.options.common import common, dry_run_option, split_names
from bootimg.cli.options.streamoptions import json_file
from bootimg.cli.output.session import App
from bootimg.printable import printable
from bootimg.sizes import format_size

if TYPE_CHECKING:
    from bootimg.streams.metadata.mirror import Copied


@click.command(
    epilog="""\
\b
Examples:
  bootimg stream mirror coreos-rhel-9.json --into mirror -p metal --arch x86_64
  bootimg stream mirror coreos-rhel-9.json --into mirror --url https://mirror.example.com/rhcos"""
)
@common
@click.argument("file", type=json_file)
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR",
              help="The folder; created if it does not exist.")  # fmt: skip
@click.option("-p", "--platform", "platforms", multiple=True, metavar="NAME[,NAME…]", callback=split_names,
              help="Only files of this platform; repeatable.")  # fmt: skip
@arches_option
@click.option("--url", metavar="URL", help="The folder's public URL; DIR/STREAM.json then names the copies.")
@dry_run_option
def mirror(
    app: App,
    file: Path,
    into: Path,
    platforms: tuple[str, ...],
    arches: tuple[Arch, ...] | None,
    url: str | None,
    dry_run: bool,
) -> None:
    """Copy the files that a stream names, and their signatures, into a folder.

    After an interruption the same command continues: files with the right digest stay.
    """
    from bootimg.atomic import require_writable
    from bootimg.streams.metadata.buildchoice import stream_name
    from bootimg.streams.metadata.download import require_http
    from bootimg.streams.metadata.mirror import Chosen, at, chosen_files, copy
    from bootimg.streams.metadata.stream import read_stream, write_stream

    stream = read_stream(file, lambda text: app.events.message(text, "warning"))
    chosen = Chosen(tuple(each.value for each in arches or ()), platforms)
    moved = at(stream, chosen, require_http(url)) if url else None
    target = into / f"{stream_name(stream.stream, [])}.json"
    files = chosen_files(stream, chosen, target.name if url else None)
    if dry_run:
        words = {name: each.location for name, each in files.items()}
        app.result({"files": words, "dry-run": True}, "\n".join(printable(each) for each in words.values()))
        return
    require_writable(into, "name another folder with --into")
    into.mkdir(parents=True, exist_ok=True)
    copied: list[Copied] = []
    for name, artifact in files.items():
        with app.events.step(f"copy {name}", name) as step:
            copied += copy(artifact, name, into, step.advance)
    if moved is not None:
        write_stream(target, moved)
    _say(app, copied, None if moved is None else target)


def _say(app: App, copied: list[Copied], stream: Path | None) -> None:
    files = [{"path": str(each.path), "size": each.size, "moved": each.moved} for each in copied]
    rows = [
        f"  {'copied' if each.moved else 'was here':<8} {format_size(each.size):>9}  {each.path}"
        for each in copied
    ]
    lines = [*rows, *([str(stream)] if stream else [])]
    document = {"files": files, "dry-run": False, "stream": str(stream) if stream else None}
    app.result(document, "\n".join(map(printable, lines)) or "the stream names no such file")

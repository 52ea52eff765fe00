"""`python -m benchmarks`: measures bootimg on this machine and prints one table."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import arches, formats, livefiles, livepacking, peers, platforms, verifying
from benchmarks.figures import Bench, Figure, machine
from bootimg.sizes import parse_size
from tests.layer import stand_in


def main() -> None:
    """Measure one thing, builds by default, and print its figures; a missed aim is not a failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of the table")
    parser.add_argument("--folder", type=Path, help="folder for the temporary cache (needs 5 GiB)")
    parser.add_argument("what", nargs="?", choices=list(_MEASURED), default="build")
    parser.add_argument(
        "--disk",
        type=Path,
        help="formats, verify: a raw disk (default: /usr in an ext4); live: pack only this metal image",
    )
    parser.add_argument("--size", type=parse_size, help="size of the disks, such as 16G")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        help="formats, platforms, peers, uploads, arches: measure only this (repeatable)",
    )
    parser.add_argument("--cache", type=Path, help="platforms, uploads: a cache with the layer's base disks")
    parser.add_argument(
        "--layer", type=Path, help="platforms, peers, live, uploads: the layer (default: the stand-in)"
    )
    parser.add_argument(
        "--platforms",
        default=",".join(platforms.EACH_FORMAT),
        help="platforms: the platforms to compare (default: one of each format)",
    )
    arguments = parser.parse_args()
    before = machine()
    figures = []
    try:
        with _bytecode_kept():
            for figure in _MEASURED[arguments.what](arguments):
                figures.append(figure)
                print(f"{figure.name}: {figure.value:.2f} {figure.unit}", file=sys.stderr)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}\n{(error.stderr or b'').decode(errors='replace')}")
    after = machine()
    if arguments.json:
        document = {"before": before, "after": after, "figures": [figure.as_dict() for figure in figures]}
        print(json.dumps(document, indent=2))
    else:
        print(table(figures))
        print(f"{before['cpus']} CPUs, load {before['load'][0]} before and {after['load'][0]} after")


@contextmanager
def _bytecode_kept() -> Iterator[None]:
    """Let the measured programs find compiled modules, as those of an installed package do."""
    with tempfile.TemporaryDirectory(prefix="bytecode.") as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        yield


def _build(arguments: argparse.Namespace) -> Iterator[Figure]:
    base, changed = stand_in(), stand_in(variant="changed")
    with tempfile.TemporaryDirectory(prefix="bootimg-benchmarks-", dir=arguments.folder) as temporary:
        yield from Bench(Path(temporary), base, changed).figures()


def _formats(arguments: argparse.Namespace) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="bootimg-benchmarks-", dir=arguments.folder) as temporary:
        disk = arguments.disk or formats.disk_of_usr(Path(temporary) / "disk.raw")
        with formats.prepared(disk, arguments.folder, arguments.size) as copy:
            yield from formats.figures(copy, arguments.only)


def _platforms(arguments: argparse.Namespace) -> Iterator[Figure]:
    layer = arguments.layer or stand_in()
    with tempfile.TemporaryDirectory(prefix="bootimg-benchmarks-", dir=arguments.folder) as temporary:
        folder = Path(temporary)
        bench = platforms.PlatformBench(
            folder, layer, arguments.cache or folder / "cache", arguments.platforms.split(","), arguments.size
        )
        yield from bench.figures(arguments.only)


def _peers(arguments: argparse.Namespace) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="bootimg-benchmarks-", dir=arguments.folder) as temporary:
        yield from peers.PeerBench(Path(temporary), arguments.layer).figures(arguments.only)


def _verify(arguments: argparse.Namespace) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="bootimg-benchmarks-", dir=arguments.folder) as temporary:
        disk = arguments.disk or formats.disk_of_usr(Path(temporary) / "disk.raw")
        yield from verifying.figures(verifying.build_of(disk, Path(temporary)))


def _live(arguments: argparse.Namespace) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="bootimg-benchmarks-", dir=arguments.folder) as temporary:
        files, disk = livefiles.LiveBench(Path(temporary), arguments.layer or stand_in()), arguments.disk
        if disk is None:
            yield from files.figures()
        yield from livepacking.figures(disk or files.artifact("metal"), Path(temporary))


def _arches(arguments: argparse.Namespace) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="bootimg-benchmarks-", dir=arguments.folder) as temporary:
        yield from arches.ArchBench(Path(temporary)).figures(arguments.only)


def _uploads(arguments: argparse.Namespace) -> Iterator[Figure]:
    # The other benchmarks need no SDK of a cloud.
    from benchmarks.uploads import UploadBench

    layer = arguments.layer or stand_in()
    with tempfile.TemporaryDirectory(prefix="bootimg-benchmarks-", dir=arguments.folder) as temporary:
        folder = Path(temporary)
        cache = arguments.cache or folder / "cache"
        yield from UploadBench(folder, layer, cache, arguments.size).figures(arguments.only)


_MEASURED = {
    "build": _build, "formats": _formats, "platforms": _platforms, "peers": _peers, "verify": _verify,
    "live": _live, "uploads": _uploads, "arches": _arches,
}  # fmt: skip


def table(figures: Sequence[Figure]) -> str:
    """The figures in columns."""
    rows = [("FIGURE", "MEASURED", "AIM", "", "")]
    for each in figures:
        aim = "-" if each.aim is None else f"{each.aim:g} {each.unit}"
        rows.append((each.name, f"{each.value:.2f} {each.unit}", aim, each.verdict, each.note))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


if __name__ == "__main__":
    main()

"""`python -m benchmarks`: measure bootimg on this machine, print one table."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Bench, Figure, machine
from tests.layer import stand_in


def main() -> None:
    """Measure everything with the stand-in layer; a missed aim is no failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document in place of the table")
    parser.add_argument("--folder", type=Path, help="where the temporary cache goes (needs 5 GiB)")
    arguments = parser.parse_args()
    base, changed = stand_in(), stand_in(variant="changed")
    before = machine()
    figures = []
    with tempfile.TemporaryDirectory(prefix="bootimg-benchmarks-", dir=arguments.folder) as folder:
        try:
            for figure in Bench(Path(folder), base, changed).figures():
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

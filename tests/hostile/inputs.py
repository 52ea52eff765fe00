"""Inputs that would exhaust a machine: `python -m tests.hostile.inputs [CASE…]` prints what they took."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import gettempdir

from bootimg.sizes import format_size
from tests.hostile.case import CASES
from tests.hostile.cases import ALL
from tests.hostile.run import Result, results
from tests.hostile.scratch import run_in_scratch

assert ALL


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the inputs, and return 1 if one was met badly."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.inputs", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="all without any")
    parser.add_argument(
        "--folder",
        type=Path,
        default=gettempdir(),
        help="where inputs are made: up to 4 GiB, best in memory",
    )
    words = parser.parse_args(arguments)
    if unknown := set(words.cases) - CASES.keys():
        sys.exit(f"no case {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    print("| input | size | outcome | CPU s | s | peak MiB |")
    print("|---|---|---|---|---|---|", flush=True)
    faults = []
    for found in results([CASES[name] for name in words.cases or CASES], words.folder.absolute()):
        print(_row(found), flush=True)
        if found.fault:
            faults.append(f"{found.name}: {found.fault}")
    print("\n" + "\n".join(faults or ["all as they have to be"]))
    return 1 if faults else 0


def _row(found: Result) -> str:
    words = (found.case.says, format_size(found.size), found.outcome, f"{found.cpu:.1f}")
    return f"| {' | '.join(words)} | {found.seconds:.1f} | {found.peak} |"


if __name__ == "__main__":
    sys.exit(run_in_scratch(main))

"""Fuzz by hand: `python -m tests.fuzz [TARGET…] --seconds 600`; `--input FILE` runs one input alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.fuzz.engine import Plan, fuzz, instrumented

if TYPE_CHECKING:
    from tests.fuzz.target import Target


def main() -> int:
    words = _parser().parse_args()
    if words.input is None and find_spec("atheris") is None:
        sys.exit(
            "atheris is not installed (pip install 'bootimg[test]'; it has wheels for Linux on x86_64 alone)"
        )
    if words.input is None:
        targets = instrumented()
    else:
        from tests.fuzz.targets import TARGETS as targets
    if unknown := set(words.targets) - targets.keys():
        sys.exit(f"no target {', '.join(sorted(unknown))}; there are {', '.join(targets)}")
    chosen = {name: targets[name] for name in words.targets or targets}
    # Targets write files that the product syncs, for which a disk takes longer than for all else.
    memory = Path("/dev/shm")
    with TemporaryDirectory(prefix="fuzz-", dir=memory if memory.is_dir() else None) as scratch:
        return _replay(chosen, words, Path(scratch)) if words.input else _fuzz(chosen, words, Path(scratch))


def _fuzz(targets: Mapping[str, Target], words: argparse.Namespace, scratch: Path) -> int:
    corpora = words.corpora or scratch / "corpora"
    words.crashes.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        corpora=corpora.absolute(), crashes=words.crashes.absolute(), seconds=words.seconds, seed=words.seed
    )
    failed = []
    for name, each in targets.items():
        print(f"== {name}", file=sys.stderr, flush=True)
        if not fuzz(each, plan, scratch):
            failed.append(name)
    print(f"{len(targets)} targets, {len(failed)} failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def _replay(targets: Mapping[str, Target], words: argparse.Namespace, scratch: Path) -> int:
    for each in targets.values():
        each.run(words.input.read_bytes(), scratch)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all without any")
    parser.add_argument("--seconds", type=int, help="for each target; without it as many runs as it says")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpora", type=Path, help="a folder to keep what reaches new code, by target")
    parser.add_argument("--crashes", type=Path, default=Path("fuzz-crashes"), help="where such inputs go")
    parser.add_argument("--input", type=Path, metavar="FILE", help="run this input alone")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""Mutated inputs: `python -m tests.hostile.mutated [PART…]` reads them all and prints what they took.

The inputs are those of the fuzz targets, changed at random from a fixed seed, and whole disks, read as
`inspect` does, in processes with limits on memory and time.  What must not be: an error other than bootimg's
own, one that is not clear, more memory or time than an input of its size may take.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from tests.fuzz.mutate import changed_bytes
from tests.fuzz.target import REFUSED, Target
from tests.fuzz.targets import TARGETS
from tests.hostile.scratch import run_in_scratch
from tests.hostile.wholedisks import WHOLE_DISK

_USUAL = 1500
"""The runs of a target whose inputs take as long as those of most."""
_MEMORY = 1 << 30
_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Targets that are one row: `says` what they read."""

    name: str
    says: str
    targets: Sequence[Target]

    def count(self, target: Target, inputs: int) -> int:
        """How many inputs a target gets: fewer of those that take long."""
        return inputs if target is WHOLE_DISK else max(1, inputs * min(target.runs, _USUAL) // _USUAL)


def parts() -> dict[str, Part]:
    """The whole disks, and the targets by their modules."""
    found = {
        "whole-disks": Part(name="whole-disks", says="Whole disks with other metadata.", targets=[WHOLE_DISK])
    }
    for each in TARGETS.values():
        module = sys.modules[each.run.__module__]
        name = module.__name__.rpartition(".")[2].replace("_", "-")
        before = found[name].targets if name in found else []
        says = str(module.__doc__).splitlines()[0]
        found[name] = Part(name=name, says=says, targets=[*before, each])
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a part: how many inputs, CPU seconds in all and of the slowest, MiB, what is wrong.

    `refused` says how often which error came of them.
    """

    part: Part
    inputs: int
    refused: Mapping[str, int]
    cpu: float
    slowest: float
    peak: int
    wrong: Sequence[str]

    def row(self) -> str:
        """As a row of Markdown."""
        words = (
            self.part.says.rstrip("."),
            self.inputs,
            sum(self.refused.values()),
            len(self.refused),
            f"{self.cpu:.0f}",
            f"{self.slowest:.1f}",
        )
        return f"| {' | '.join(map(str, words))} | {self.peak} |"


HEAD = (
    "| input | mutations | refusals | kinds of error | CPU s | of the slowest | peak MiB |"
    "\n|---|---|---|---|---|---|---|"
)


def read_part(part: Part, inputs: int, seed: int, folder: Path) -> Result:
    """Read the mutated inputs of a part, each target's in a process of its own."""
    found = [_forked(each, part.count(each, inputs), seed, folder) for each in part.targets]
    return Result(
        part=part,
        inputs=sum(each["inputs"] for each in found),
        refused=sum((Counter(each["refused"]) for each in found), Counter()),
        cpu=sum(each["cpu"] for each in found),
        slowest=max(each["slowest"] for each in found),
        peak=max(each["peak"] for each in found),
        wrong=[line for each in found for line in each["wrong"]],
    )


def _forked(target: Target, count: int, seed: int, folder: Path) -> Mapping[str, Any]:
    out, into = os.pipe()
    child = os.fork()
    if not child:
        os.close(out)
        place = folder / target.name
        place.mkdir()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        with os.fdopen(into, "w") as pipe:
            _read(target, count, seed, place, pipe)
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as pipe:
        lines = pipe.read().splitlines()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    found: dict[str, Any] = {"inputs": 0, "cpu": 0.0, "slowest": 0.0, "peak": 0, "refused": {}, "wrong": []}
    found |= json.loads(lines[-1]) if lines else {}
    if status:
        found["wrong"] = [
            *found["wrong"],
            f"{target.name}: ended with {status}: {found.get('reading', 'nothing')}",
        ]
    return found


def _read(target: Target, count: int, seed: int, place: Path, pipe: Any) -> None:  # noqa: ANN401
    """Read the inputs; before each a line tells what is known, for the case that it ends the process."""
    wrong: list[str] = []
    slowest = 0.0
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    REFUSED.clear()
    started = _cpu()
    for number, data in enumerate(mutations(target, count, seed), 1):
        known = {"inputs": number, "cpu": _cpu() - started, "slowest": slowest, "refused": REFUSED}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        pipe.write(json.dumps({**known, "peak": peak, "wrong": wrong, "reading": data[:2000].hex()}) + "\n")
        pipe.flush()
        before = _cpu()
        # By the clock, which on a busy machine runs much faster than the CPU's.
        signal.alarm(_SECONDS * 20)
        try:
            target.run(data, place)
        except BaseException:  # noqa: BLE001 - whatever it is, it is what is looked for
            wrong.append(f"{target.name}: {data[:2000].hex()}: {traceback.format_exc()[-1500:]}")
        signal.alarm(0)
        slowest = max(slowest, _cpu() - before)
    if slowest > _SECONDS:
        wrong.append(f"{target.name}: an input took {slowest:.0f} s of CPU")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    pipe.write(json.dumps({"inputs": count, "cpu": _cpu() - started, "slowest": slowest,
                           "peak": peak, "refused": REFUSED, "wrong": wrong}) + "\n")  # fmt: skip


def _cpu() -> float:
    """The CPU seconds of this process and of those that it has ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def mutations(target: Target, count: int, seed: int) -> Iterator[bytes]:
    """So many inputs; the same ones for the same seed."""
    seeds = list(target.seeds())
    random = Random(f"{seed} {target.name}")
    words = [word.encode("utf-8", "surrogatepass") for word in target.words]
    for _ in range(count):
        data = random.choice(seeds)
        for _ in range(random.choice((1, 1, 2, 4))):

            def plain(piece: bytes, longest: int) -> bytes:
                return changed_bytes(piece, longest, random, words)

            if target.mutate:
                data = target.mutate(data, target.longest, random.getrandbits(32), plain)
            else:
                data = plain(data, target.longest)
        yield data


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the parts, and return 1 if one was met badly."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.mutated", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*parts(), []], help="default: all")
    parser.add_argument("--inputs", type=int, default=2000, help="for each target; fewer for slow ones")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="print which errors came of them")
    parser.add_argument("--folder", type=Path, default=gettempdir(), help="where inputs are written")
    words = parser.parse_args(arguments)
    found = []
    print(HEAD, flush=True)
    for name in words.parts or parts():
        with TemporaryDirectory(prefix="mutated-", dir=words.folder) as folder:
            found.append(read_part(parts()[name], words.inputs, words.seed, Path(folder)))
        print(found[-1].row(), flush=True)
        if words.verbose:
            print(*(f"  {id}: {count}" for id, count in found[-1].refused.items()), sep="\n", flush=True)
    wrong = [line for each in found for line in each.wrong]
    print(f"\n{sum(each.inputs for each in found)} inputs, {len(wrong)} read badly", *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(run_in_scratch(main))

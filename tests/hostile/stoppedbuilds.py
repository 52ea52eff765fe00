"""Builds that are killed or stopped in their steps: `python -m tests.hostile.stoppedbuilds [BUILD…]`.

A build gets SIGKILL, SIGTERM or SIGINT soon after a step has begun, and the same command goes on, until each
step that begins has met each signal.  What must not be: a traceback, an exit code that says something else, a
temporary file that a stopped build leaves, another result than that of a build that nothing stops.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from signal import Signals
from tempfile import TemporaryDirectory

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.live.fsoptions import FsType
from bootimg.live.programs.choice import require_here
from bootimg.live.programs.known import MAKERS
from bootimg.partialfiles import PARTIAL
from tests.hostile.scratch import run_in_scratch
from tests.hostile.stops import STOPS
from tests.layer.small import small_layer
from tests.support import oci
from tests.support.debianprograms import squashfs_programs

BUILDS: Mapping[str, tuple[Arch, Sequence[str]]] = {
    "archive": (Arch.X86_64, ("--until", "archive")),
    "aarch64": (Arch.AARCH64, ("-p", "qemu,metal")),
    "ppc64le": (Arch.PPC64LE, ("-p", "qemu,metal")),
    "s390x": (Arch.S390X, ("-p", "qemu,metal")),
    "live": (Arch.AARCH64, ("-p", "live")),
}
"""The architecture and the options of each build; `archive` is of a layer that has hardly anything in it."""
_LONGEST = 1.5
"""Seconds after which a signal comes, at most."""


@dataclass
class Place:
    """Where a build works, and what was found there."""

    folder: Path
    words: Sequence[str | Path]
    met: set[tuple[str, Signals]] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def start(self) -> subprocess.Popen[bytes]:
        """The build in a process of its own."""
        temporary = self.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        places = ["--cache", str(self.folder / "cache"), "-o", str(self.folder / "builds")]
        argv = [sys.executable, "-m", "bootimg", "build", *self.words, *places, "--events", "ndjson"]
        env = {**os.environ, "TMPDIR": str(temporary), "PATH": _path()}
        return subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def digests(self) -> dict[str, str]:
        """The digest of each artifact of the build."""
        (meta,) = (self.folder / "builds").glob("*/*/meta.json")
        images = json.loads(meta.read_bytes())["images"]
        return {key: str(entry["sha256"]) for key, entry in images.items()}

    def left(self) -> list[str]:
        """Temporary files."""
        partial = [path.name for path in (self.folder / "builds").rglob(f"{PARTIAL}*")]
        return [*(path.name for path in (self.folder / "tmp").iterdir()), *partial]


@cache
def _path() -> str:
    """A PATH on which live media can be made: distributions may have an older sqfstar."""
    try:
        require_here(MAKERS[FsType.SQUASHFS])
    except BootimgError:
        programs = squashfs_programs()
        return os.environ["PATH"] if programs.why_not() else f"{programs.folder()}:{os.environ['PATH']}"
    return os.environ["PATH"]


def _layer(name: str, arch: Arch, folder: Path) -> Path:
    if name != "archive":
        return small_layer(arch)
    layout = oci.Layout(folder / "image")
    layout.add([oci.bootable()])
    return layout.path


def run_whole(place: Place) -> None:
    """The build that nothing stops."""
    child = place.start()
    _, said = child.communicate()
    assert child.returncode == 0, said[-3000:].decode(errors="replace")


def run_stopped(place: Place, stops: Sequence[Signals], seed: int) -> None:
    """The build with all stops, to its end."""
    random = Random(seed)
    while True:
        child = place.start()
        assert child.stderr
        lines = iter(child.stderr)
        found = next(_new(place, lines, stops), None)
        if found is None:
            _judge_end(place, child)
            return
        time.sleep(random.random() * _LONGEST)
        child.send_signal(found[1])
        rest = b"".join(lines)
        place.met.add(found)
        _judge_stop(place, child.wait(), rest, *found)


def _new(place: Place, lines: Iterator[bytes], stops: Sequence[Signals]) -> Iterator[tuple[str, Signals]]:
    """The steps that begin, with a signal that none of them has met."""
    for line in lines:
        event = json.loads(line) if line.startswith(b"{") else {}
        if event.get("event") == "step-started":
            yield from ((event["step"], each) for each in stops if (event["step"], each) not in place.met)


def _judge_stop(place: Place, code: int, said: bytes, step: str, number: Signals) -> None:
    wanted = -number if number is Signals.SIGKILL else ExitCode.INTERRUPTED
    # A build may end before its signal comes.
    if code not in (wanted, 0):
        place.wrong.append(f"{number.name} in {step}: ended with {code}: {said[-500:]!r}")
    if b"Traceback" in said or b"Exception ignored" in said:
        place.wrong.append(f"{number.name} in {step}: {said[-1500:].decode(errors='replace')}")
    if number is not Signals.SIGKILL and (left := place.left()):
        place.wrong.append(f"{number.name} in {step}: left {', '.join(left)}")


def _judge_end(place: Place, child: subprocess.Popen[bytes]) -> None:
    if code := child.wait():
        place.wrong.append(f"the last one ended with {code}")
    if left := place.left():
        place.wrong.append(f"left for ever: {', '.join(left)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the builds, and return 1 if a stop was met badly."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.stoppedbuilds", description=__doc__)
    parser.add_argument("builds", nargs="*", choices=[*BUILDS, []], help="default: all")
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args(arguments)
    bad = 0
    print("| build | steps | stops | outcome |\n|---|---|---|---|", flush=True)
    for name in words.builds or BUILDS:
        with TemporaryDirectory(prefix="stopped-") as folder:
            arch, options = BUILDS[name]
            command = [_layer(name, arch, Path(folder)), "--arch", arch.value, *options]
            whole, place = Place(Path(folder) / "whole", command), Place(Path(folder) / "stopped", command)
            run_whole(whole)
            run_stopped(place, STOPS, words.seed)
            wrong = [*place.wrong]
            if not wrong and place.digests() != whole.digests():
                wrong.append(f"another result: {place.digests()}, not {whole.digests()}")
        steps = len({step for step, _ in place.met})
        print(
            f"| {name} | {steps} | {len(place.met)} | {'; '.join(wrong) or 'the same result'} |", flush=True
        )
        bad += len(wrong)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(run_in_scratch(main))

"""Builds that are killed or stopped in their steps: `python -m tests.hostile.stoppedbuilds [BUILD…]`.

A build gets a signal soon after a step has begun, and the same command goes on, until each step that begins
has met SIGKILL and, in turns, SIGTERM or SIGINT.  What must not be: a traceback, an exit code that says
something else, a temporary file or a process that a stopped build leaves, another result than that of a build
that nothing stops.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from signal import Signals
from tempfile import TemporaryDirectory
from typing import Any

from bootimg.arch import Arch
from bootimg.errors import ExitCode
from bootimg.partialfiles import PARTIAL
from tests.hostile.scratch import run_in_scratch
from tests.layer.small import small_layer
from tests.support.debianprograms import squashfs_programs
from tests.support.layers import oci
from tests.support.live.livemedia import has_maker

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
_DEADLINE = 300
"""Seconds in which a build that gets a signal ends, and its processes with it."""
_PAUSE = 0.05


@dataclass
class Place:
    """Where a build works, and what was found there; `steps` are numbered as they first begin."""

    folder: Path
    words: Sequence[str | Path]
    met: set[tuple[str, Signals]] = field(default_factory=set)
    steps: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def log(self) -> Path:
        """What the last build said.  A pipe would stay open for as long as a process is left."""
        return self.folder / "log"

    def start(self) -> subprocess.Popen[bytes]:
        """The build in a process of its own."""
        temporary = self.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        places = ["--cache", str(self.folder / "cache"), "-o", str(self.folder / "builds")]
        argv = [sys.executable, "-m", "bootimg", "build", *self.words, *places, "--events", "ndjson"]
        env = {**os.environ, "TMPDIR": str(temporary), "PATH": _path()}
        with self.log.open("wb") as log:
            return subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=log)

    def events(self, child: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
        """The events of the build until it ends."""
        with self.log.open("rb") as log:
            kept, ended = b"", False
            while not ended:
                ended = child.poll() is not None
                *lines, kept = (kept + log.read()).split(b"\n")
                yield from (json.loads(line) for line in lines if line.startswith(b"{"))
                time.sleep(_PAUSE)

    def running(self) -> list[str]:
        """The commands of processes that work here, known by their TMPDIR."""
        wanted, found = f"TMPDIR={self.folder / 'tmp'}".encode(), []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if wanted in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200])
        return found

    def digests(self) -> dict[str, str]:
        """The digest of each artifact of the build."""
        found = (self.folder / "builds").glob("*/*/meta.json")
        # The link `latest` leads to the same build.
        (meta,) = (path for path in found if not path.parents[1].is_symlink())
        images = json.loads(meta.read_bytes())["images"]
        return {key: str(entry["sha256"]) for key, entry in images.items()}

    def left(self) -> list[str]:
        """Temporary files."""
        partial = [path.name for path in (self.folder / "builds").rglob(f"{PARTIAL}*")]
        return [*(path.name for path in (self.folder / "tmp").iterdir()), *partial]


@cache
def _path() -> str:
    """A PATH on which live media can be made: distributions may have an older sqfstar."""
    programs = squashfs_programs()
    if has_maker() or programs.why_not():
        return os.environ["PATH"]
    return f"{programs.folder()}:{os.environ['PATH']}"


def _layer(name: str, arch: Arch, folder: Path) -> Path:
    if name != "archive":
        return small_layer(arch)
    layout = oci.Layout(folder / "image")
    layout.add([oci.bootable()])
    return layout.path


def run_whole(place: Place) -> None:
    """The build that nothing stops."""
    assert place.start().wait() == 0, place.log.read_text()[-3000:]


def run_stopped(place: Place, seed: int, *, verbose: bool = False) -> None:
    """The build with all stops, to its end."""
    random = Random(seed)
    while True:
        child = place.start()
        found = next(_new(place, child), None)
        if found is None:
            _judge_end(place, child)
            return
        time.sleep(random.random() * _LONGEST)
        child.send_signal(found[1])
        place.met.add(found)
        if verbose:
            print(f"{found[1].name} in {found[0]}", file=sys.stderr, flush=True)
        _judge_stop(place, child, *found)


def _new(place: Place, child: subprocess.Popen[bytes]) -> Iterator[tuple[str, Signals]]:
    """The steps that begin, with a signal that they have not met."""
    for event in place.events(child):
        if event.get("event") == "step-started":
            step = event["step"]
            turn = place.steps.setdefault(step, len(place.steps)) % 2
            signals = (Signals.SIGKILL, (Signals.SIGTERM, Signals.SIGINT)[turn])
            yield from ((step, each) for each in signals if (step, each) not in place.met)


def _judge_stop(place: Place, child: subprocess.Popen[bytes], step: str, number: Signals) -> None:
    where, end = f"{number.name} in {step}", time.monotonic() + _DEADLINE
    try:
        code = child.wait(_DEADLINE)
    except subprocess.TimeoutExpired:
        child.kill()
        code = child.wait()
    wanted = -number if number is Signals.SIGKILL else ExitCode.INTERRUPTED
    said = place.log.read_text(errors="replace")
    # A build may end before its signal comes; Python's own end is not the build's.
    ended = said.count('"event":"step-started"') == said.count('"event":"step-finished"')
    if code not in (wanted, 0) and not (ended and code == -number):
        place.wrong.append(f"{where}: ended with {code}: {said[-500:]!r}")
    if "Traceback" in said or "Exception ignored" in said:
        place.wrong.append(f"{where}: {said[-1500:]}")
    if number is not Signals.SIGKILL and (left := place.left()):
        place.wrong.append(f"{where}: left {', '.join(left)}")
    while (running := place.running()) and time.monotonic() < end:
        time.sleep(_PAUSE)
    if running:
        place.wrong.append(f"{where}: still runs {'; '.join(running)}")


def _judge_end(place: Place, child: subprocess.Popen[bytes]) -> None:
    if code := child.wait():
        place.wrong.append(f"the last one ended with {code}: {place.log.read_text(errors='replace')[-1500:]}")
    if left := place.left():
        place.wrong.append(f"left for ever: {', '.join(left)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the builds, and return 1 if a stop was met badly."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.stoppedbuilds", description=__doc__)
    parser.add_argument("builds", nargs="*", choices=[*BUILDS, []], help="default: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="print each signal as it is sent")
    words = parser.parse_args(arguments)
    bad = 0
    print("| build | steps | stops | s | outcome |\n|---|---|---|---|---|", flush=True)
    for name in words.builds or BUILDS:
        started = time.monotonic()
        with TemporaryDirectory(prefix="stopped-") as folder:
            arch, options = BUILDS[name]
            command = [_layer(name, arch, Path(folder)), "--arch", arch.value, *options]
            whole, place = Place(Path(folder) / "whole", command), Place(Path(folder) / "stopped", command)
            run_whole(whole)
            run_stopped(place, words.seed, verbose=words.verbose)
            wrong = [*place.wrong]
            if not wrong and place.digests() != whole.digests():
                wrong.append(f"another result: {place.digests()}, not {whole.digests()}")
        found = (name, len(place.steps), len(place.met), f"{time.monotonic() - started:.0f}")
        print(f"| {' | '.join(map(str, found))} | {'; '.join(wrong) or 'the same result'} |", flush=True)
        bad += len(wrong)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(run_in_scratch(main))

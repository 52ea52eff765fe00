"""A run of osbuild: its command line, its output, its failures, and how to stop it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from bootimg import process
from bootimg.atomic import Opening, no_space, open_own
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.osbuild.monitor import read_records
from bootimg.osbuild.progress import OsbuildProgress

CACHE_SIZE = "20GiB"
# Seconds for osbuild to unmount what it has mounted.
_GRACE = 5.0
_FULL = "No space left on device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run: the results of the pipelines `exports` are written to folders of these names in `output`.

    `checkpoints` are the pipelines that stay in `store` for the next run.  `log` gets all output of osbuild
    and its stages.
    """

    program: Path
    manifest: Path
    exports: Sequence[str]
    checkpoints: Sequence[str]
    store: Path
    output: Path
    log: Path

    def argv(self, monitor: int) -> list[process.Argument]:
        """The command line of coreos-assembler; osbuild's monitor writes to the descriptor `monitor`."""
        words: list[process.Argument] = [self.program, "--store", self.store]
        words += ["--output-directory", self.output, "--cache-max-size", CACHE_SIZE]
        for name in self.checkpoints:
            words += ["--checkpoint", name]
        for name in self.exports:
            words += ["--export", name]
        return [*words, "--monitor", "JSONSeqMonitor", "--monitor-fd", str(monitor), self.manifest]


def run(job: Job, events: Events) -> None:
    """Let osbuild build and export; `osbuild-failed` names the stage, `no-space-left` means a full disk."""
    with (
        open_own(job.log, Opening.REPLACE) as log,
        TemporaryFile() as words,
        OsbuildProgress(events) as progress,
    ):
        try:
            with _running(job, words) as (child, monitor):
                for record in read_records(monitor):
                    log.write(record.message.rstrip("\n").encode() + b"\n")
                    progress.take(record)
                code = child.wait()
        finally:
            words.seek(0)
            output = words.read()
            log.write(output)
        if code or progress.failed:
            raise _failure(job, code, progress, output.decode(errors="replace"))


@contextmanager
def _running(job: Job, words: IO[bytes]) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A running osbuild, whose output goes to the file `words`, and the reading end of its monitor's pipe."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as monitor, ExitStack() as stack:
        try:
            child = stack.enter_context(
                process.spawn(job.argv(writing), stdout=words, stderr=words, pass_fds=(writing,))
            )
        finally:
            # Otherwise the pipe would not end when osbuild does.
            os.close(writing)
        try:
            yield child, monitor
        except BaseException:
            _interrupt(child)
            raise


def _interrupt(child: subprocess.Popen[bytes]) -> None:
    """Stop osbuild as ^C does, so that it unmounts; processes that still run after that are killed."""
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE)


def _failure(job: Job, code: int, progress: OsbuildProgress, words: str) -> BootimgError:
    output = progress.failed.output if progress.failed else words
    lines = [line[:400] for line in output.splitlines() if line.strip()][-8:]
    if _FULL in output:
        return no_space(job.store, context=[*lines, f"log: {job.log}"])
    where = ""
    if progress.failed:
        where = f" in {progress.failed.name}"
        if not progress.failed.name.endswith(progress.pipeline):
            where += f" of the pipeline {progress.pipeline}"
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
    return BootimgError(
        "osbuild-failed",
        f"osbuild failed{where}",
        context=[*lines, f"osbuild {how}", f"log: {job.log}"],
        hint="the log has the full output of the stage; pipelines that were finished are kept",
    )

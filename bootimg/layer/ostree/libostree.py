"""libostree, called through a worker in the system's Python (its binding is not on PyPI)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bootimg import process
from bootimg.atomic import Opening, no_space, open_own
from bootimg.errors import BootimgError, ExitCode
from bootimg.systempython import candidates, first_that_runs
from bootimg.untrusted.limited import ProcessLimits, killed_after

WORKER = Path(__file__).with_name("ostree_worker.py")
PACKAGES = "python3-gi and gir1.2-ostree-1.0 (apt), python3-gobject and ostree-libs (dnf)"
_IMPORT = "import gi; gi.require_version('OSTree', '1.0'); from gi.repository import OSTree"
_ENDING = 5.0
"""Seconds in which a worker that closed its output has ended."""


def interpreter(pythons: Sequence[Path] | None = None) -> Path:
    """The first Python on this machine that can import libostree's binding."""
    tried = candidates() if pythons is None else list(pythons)
    if found := first_that_runs(_IMPORT, tried):
        return found[0]
    raise BootimgError(
        "libostree-missing",
        "no Python on this machine has the libostree binding",
        context=[f"tried {python}" for python in tried],
        note="layers are imported into an ostree repository by libostree itself",
        hint=f"install {PACKAGES}",
        exit_code=ExitCode.ENVIRONMENT,
    )


class Libostree:
    """A running worker; `send` does not wait, `call` returns the answer."""

    def __init__(self, child: subprocess.Popen[bytes], limits: ProcessLimits, repo: Path, log: Path) -> None:
        self._child = child
        self._limits = limits
        self._repo = repo
        self._log = log

    def send(self, name: str, *arguments: Any) -> None:  # noqa: ANN401
        """Send a command that has no answer."""
        assert self._child.stdin
        try:
            self._child.stdin.write(json.dumps([name, *arguments]).encode() + b"\n")
        except BrokenPipeError:
            self._answer()

    def call(self, name: str, *arguments: Any) -> Any:  # noqa: ANN401
        """Send a command and wait for its answer; all commands sent before are done by then."""
        assert self._child.stdin
        self.send(name, *arguments)
        # A worker that has ended wrote its reason to its stdout.
        with suppress(BrokenPipeError):
            self._child.stdin.flush()
        return self._answer()["ok"]

    def _answer(self) -> Mapping[str, Any]:
        assert self._child.stdout
        line = self._child.stdout.readline()
        answer = json.loads(line) if line else {"error": self._ended()}
        assert isinstance(answer, dict)
        if "error" in answer:
            raise self._failure(str(answer["error"]))
        return answer

    def _ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(_ENDING)
        reason = self._limits.reason(self._child.returncode or 0) or "it ended without an answer"
        return f"{reason}; its last words are in {self._log}"

    def _failure(self, text: str) -> BootimgError:
        # A file system says of attributes that are too large for a file that it has no space.
        if "setxattr(" in text:
            return BootimgError(
                "layer-attributes-too-large",
                "a file of the layer has more extended attributes than the file system of the cache can keep",
                context=[f"{self._repo}: {text[:400]}"],
                hint="take them out where the layer is made, or put the cache on an XFS (--cache)",
            )
        # libostree keeps some of the disk free; its error for that has this word.
        if "No space left" in text or "min-free-space" in text:
            return no_space(self._repo, context=[text[:400]])
        return BootimgError("ostree-failed", "libostree refused the layer", context=[text[:400]])


@contextmanager
def libostree(repo: Path, log: Path, limits: ProcessLimits) -> Iterator[Libostree]:
    """A worker for one repository while the body runs; its stderr goes to `log`."""
    words: list[process.Argument] = [*limits.words(), interpreter(), "-I", WORKER]
    with (
        open_own(log, Opening.APPEND) as stderr,
        process.spawn(words, stdin=subprocess.PIPE, stderr=stderr) as child,
        killed_after(child, limits.deadline),
    ):
        assert child.stdin
        try:
            yield Libostree(child, limits, repo, log)
        finally:
            process.kill_group(child, grace=0.1)
            # The worker has ended: commands that are still buffered cannot be sent.
            with suppress(BrokenPipeError):
                child.stdin.close()

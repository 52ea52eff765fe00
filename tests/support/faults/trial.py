"""Runs a verb whose storage fails, or that gets a signal, and judges what it said and what it left."""

from __future__ import annotations

import pkgutil
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

import bootimg
from bootimg.errors import ExitCode
from tests.support.clouds.preloaded import Preloaded, preloaded
from tests.support.faults.bucket import BUCKET, BucketServer, bucket_server
from tests.support.faults.judge import (
    TIMES,
    Ran,
    Reference,
    Tree,
    content_digest,
    wrong_afterwards,
    wrong_at_once,
    wrong_when_stopped,
)
from tests.support.faults.library import CHANGE, COUNTING, Injection
from tests.support.faults.verbs import make_start, uses_bucket, words_of

_MADE = re.compile(
    r"\.flock$|\.build\.lock$|^cache/(locks|trash|tmp|repo/tmp|timings)|^tmp/|journal\.ndjson$"
    r"|\.scratch(/|$)|(^|/)\.bootimg-browse-"
)
_COMPLETED, _UNMET = "completed", "not met"
_ENDS: dict[int, str] = {-Signals.SIGKILL: "killed", ExitCode.INTERRUPTED: "stopped"}


@dataclass(frozen=True, slots=True)
class Trial:
    """The outcome of one fault: an error's id, `completed` or `not met`; `wrong` says what must not be.

    That of a signal is `killed`, `stopped` or `completed`.
    """

    verb: str
    injection: Injection
    outcome: str
    where: str = ""
    wrong: str = ""
    said: str = ""


@dataclass
class Bench:
    """A folder in which verbs run again and again, each time from the same start."""

    process: Preloaded
    folder: Path
    server: BucketServer
    _references: dict[str, Reference] = field(default_factory=dict)

    @property
    def place(self) -> Path:
        """Where the verbs work, and where calls fail."""
        return self.folder / "place"

    def calls(self, verb: str) -> Counter[str]:
        """How many calls of each kind the verb makes."""
        return Counter(line.partition(" ")[0] for line in self._reference(verb).whole.calls)

    def changes(self, verb: str) -> int:
        """How many calls of the verb change something."""
        self._reset(verb)
        return len(self._run(verb, Injection(CHANGE, 0, at=0)).calls)

    def try_fault(self, verb: str, injection: Injection) -> Trial:
        """Run a verb with a fault or a signal, and then again without."""
        whole = self._reference(verb).whole
        self._reset(verb)
        ran = self._run(verb, injection)
        failed = [call for call in ran.calls if call.startswith("!")]
        if not failed:
            return Trial(verb, injection, _UNMET)
        outcome = ran.error or (_COMPLETED if ran.code == whole.code else _ENDS.get(ran.code, "failed"))
        where = failed[0].partition(" ")[2].removeprefix(f"{self.place}/")
        wrong = self._wrong(verb, injection, ran)
        return Trial(verb, injection, outcome, where, wrong, ran.said)

    def _wrong(self, verb: str, injection: Injection, ran: Ran) -> str:
        reference = self._reference(verb)
        judge = wrong_when_stopped if injection.stops else wrong_at_once
        if wrong := judge(ran, self._tree(verb), reference, injection):
            return wrong
        left = [each.name for each in (self.place / "tmp").iterdir()]
        if left and injection.stops not in (None, Signals.SIGKILL):
            return f"temporary files left: {', '.join(left)}"
        return wrong_afterwards(self._run(verb), self._tree(verb), reference, injection)

    def _reference(self, verb: str) -> Reference:
        if verb not in self._references:
            self._reset(verb)
            before, whole = self._tree(verb), self._run(verb, COUNTING)
            assert whole.error is None, whole.said
            self._references[verb] = Reference(before, self._tree(verb), whole)
        return self._references[verb]

    def _reset(self, verb: str) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self.folder / "start", self.place, symlinks=True)
        if uses_bucket(verb):
            self.server.load(self.place / BUCKET)

    def _run(self, verb: str, injection: Injection | None = None) -> Ran:
        output, log = self.folder / "output", self.folder / "log"
        log.unlink(missing_ok=True)
        variables = {
            "HOME": str(self.place),
            "TMPDIR": str(self.place / "tmp"),
            "BOOTIMG_CACHE": str(self.place / "cache"),
            "SOURCE_DATE_EPOCH": "1760000000",
            **self.server.environment,
            **(injection.environment(self.place, log) if injection else {}),
        }
        child = self.process.start([*words_of(verb, self.place), "-q"], output, environment=variables)
        code = self.process.wait(child)
        seen = log.read_text(errors="replace").splitlines() if log.exists() else []
        return Ran(code, TIMES.sub(b"TIME", output.read_bytes()).decode(errors="replace"), tuple(seen))

    def _tree(self, verb: str) -> Tree:
        found = {}
        for path in sorted(self.place.rglob("*")):
            name = str(path.relative_to(self.place))
            if not _MADE.search(name):
                found[name] = _content(path)
        stored = self.server.digests() if uses_bucket(verb) else {}
        return {**found, **{f"in {BUCKET}: {key}": digest for key, digest in stored.items()}}


@contextmanager
def bench(folder: Path, library: Path) -> Iterator[Bench]:
    """A bench in a new folder."""
    make_start(folder / "start")
    with bucket_server() as server, preloaded("boto3", *_modules(), library=library) as process:
        yield Bench(process, folder, server)


def _modules() -> Iterator[str]:
    """All modules of bootimg but those for the system's Python."""
    for module in pkgutil.walk_packages(bootimg.__path__, "bootimg."):
        if not module.name.endswith(("worker", "__main__")):
            yield module.name


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if path.is_dir():
        return "folder"
    return content_digest(path.name, path.read_bytes())

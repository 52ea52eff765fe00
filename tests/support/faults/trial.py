"""Runs a verb whose storage fails, and judges what it said and what it left."""

from __future__ import annotations

import hashlib
import json
import pkgutil
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import bootimg
from tests.support.faults.judge import DOCUMENT, Ran, Reference, Tree, wrong_afterwards, wrong_at_once
from tests.support.faults.library import COUNTING, Injection
from tests.support.faults.verbs import make_start, words_of
from tests.support.preloaded import Preloaded, preloaded

_TIMES = re.compile(
    rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"
    rb"|\b1[5-9]\d{8}(\d{9}|\.\d+)?\b|\b0\.\d{5,}\b|\"(free|unused-seconds)\": \d+"
)
_MADE = re.compile(
    r"\.flock$|\.build\.lock$|^cache/(locks|trash|tmp|repo/tmp|timings)|^tmp/|journal\.ndjson$"
    r"|\.scratch(/|$)|(^|/)\.bootimg-browse-"
)
_COMPLETED, _UNMET = "completed", "not met"


@dataclass(frozen=True, slots=True)
class Trial:
    """The outcome of one fault: an error's id, `completed` or `not met`; `wrong` says what must not be."""

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
    _references: dict[str, Reference] = field(default_factory=dict)

    @property
    def place(self) -> Path:
        """Where the verbs work, and where calls fail."""
        return self.folder / "place"

    def calls(self, verb: str) -> Counter[str]:
        """How many calls of each kind the verb makes."""
        return Counter(line.partition(" ")[0] for line in self._reference(verb).whole.calls)

    def try_fault(self, verb: str, injection: Injection) -> Trial:
        """Run a verb with a fault, and then again without."""
        whole = self._reference(verb).whole
        self._reset()
        ran = self._run(verb, injection)
        failed = [call for call in ran.calls if call.startswith("!")]
        if not failed:
            return Trial(verb, injection, _UNMET)
        outcome = ran.error or (_COMPLETED if ran.code == whole.code else "failed")
        where = failed[0].partition(" ")[2].removeprefix(f"{self.place}/")
        wrong = self._wrong(verb, injection, ran)
        return Trial(verb, injection, outcome, where, wrong, ran.said)

    def _wrong(self, verb: str, injection: Injection, ran: Ran) -> str:
        reference = self._reference(verb)
        if wrong := wrong_at_once(ran, self._tree(), reference, injection):
            return wrong
        return wrong_afterwards(self._run(verb), self._tree(), reference, injection)

    def _reference(self, verb: str) -> Reference:
        if verb not in self._references:
            self._reset()
            before, whole = self._tree(), self._run(verb, COUNTING)
            assert whole.error is None, whole.said
            self._references[verb] = Reference(before, self._tree(), whole)
        return self._references[verb]

    def _reset(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self.folder / "start", self.place, symlinks=True)

    def _run(self, verb: str, injection: Injection | None = None) -> Ran:
        output, log = self.folder / "output", self.folder / "log"
        log.unlink(missing_ok=True)
        variables = {
            "HOME": str(self.place),
            "TMPDIR": str(self.place / "tmp"),
            "BOOTIMG_CACHE": str(self.place / "cache"),
            "SOURCE_DATE_EPOCH": "1760000000",
            **(injection.environment(self.place, log) if injection else {}),
        }
        child = self.process.start([*words_of(verb, self.place), "-q"], output, environment=variables)
        code = self.process.wait(child)
        seen = log.read_text(errors="replace").splitlines() if log.exists() else []
        return Ran(code, _TIMES.sub(b"TIME", output.read_bytes()).decode(errors="replace"), tuple(seen))

    def _tree(self) -> Tree:
        found = {}
        for path in sorted(self.place.rglob("*")):
            name = str(path.relative_to(self.place))
            if not _MADE.search(name):
                found[name] = _content(path)
        return found


@contextmanager
def bench(folder: Path, library: Path) -> Iterator[Bench]:
    """A bench in a new folder."""
    make_start(folder / "start")
    with preloaded(*_modules(), library=library) as process:
        yield Bench(process, folder)


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
    data = _TIMES.sub(b"TIME", path.read_bytes())
    return f"{DOCUMENT if _is_json(path, data) else ''}{hashlib.sha256(data).hexdigest()}"


def _is_json(path: Path, data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return path.suffix == ".json"

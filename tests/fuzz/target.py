"""What a fuzz target is: a parser of the product, what it is fed with at first, and how inputs change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bootimg.__main__ import diagnostic
from bootimg.errors import BootimgError

ROOT = Path(__file__).parents[2]
LONGEST = 5000
"""Characters of a diagnostic, however much a file says."""
Run = Callable[[bytes, Path], None]
Mutator = Callable[[bytes, int, int, Callable[[bytes, int], bytes]], bytes]


@dataclass(frozen=True, kw_only=True)
class Target:
    """`run` gets an input and a folder of the target's own; whatever it lets out is a crash.

    `words` are what libFuzzer puts into inputs, `mutate` (input, longest, seed, libFuzzer's own mutation) is
    the way for inputs with a structure.  `runs` is how often a short run calls it.
    """

    name: str
    run: Run
    seeds: Callable[[], Iterable[bytes]]
    words: Sequence[str]
    mutate: Mutator | None
    runs: int
    longest: int


TARGETS: dict[str, Target] = {}


def target(
    seeds: Callable[[], Iterable[bytes]],
    *,
    words: Sequence[str] = (),
    mutate: Mutator | None = None,
    runs: int = 1500,
    longest: int = 8192,
) -> Callable[[Run], Run]:
    """Makes a function a target by its name, written with dashes."""

    def add(run: Run) -> Run:
        name = run.__name__.replace("_", "-")
        TARGETS[name] = Target(
            name=name, run=run, seeds=seeds, words=words, mutate=mutate, runs=runs, longest=longest
        )
        return run

    return add


REFUSED: Counter[str] = Counter()
"""How often which error refused an input, since the process began."""


def note(*ids: str) -> None:
    """Count errors that a result names, beside those that are raised."""
    REFUSED.update(ids)


@contextmanager
def refusals() -> Iterator[None]:
    """Swallows the clear error, having looked whether it is one; everything else goes through."""
    try:
        yield
    except BootimgError as error:
        note(error.id)
        check(error)


def check(error: BootimgError) -> None:
    """An error must be one sentence with a page and a way out, and must not command a terminal."""
    assert (ROOT / error.docs).is_file(), f"no page {error.docs}"
    assert error.hint, f"{error.id} has no hint"
    assert "\n" not in error.message, f"{error.id} is more than a line: {error.message!r}"
    shown = diagnostic(error, color=False)
    assert all(line.isprintable() for line in shown.split("\n")), f"not for terminals: {shown!r}"
    assert len(shown) <= LONGEST, f"{error.id} has {len(shown)} characters"

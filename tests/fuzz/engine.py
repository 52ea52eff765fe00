"""libFuzzer, through atheris, on the targets: each in a process of its own that this one forks."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fuzz.target import Target

_FAILED = 1
MEMORY_MIB = 1024
"""What an input may make of memory."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long: `seconds`, or without them as many `runs` as each target says; both from one `seed`.

    `corpora` keeps what was found worth keeping, `crashes` gets the inputs that bring a parser down,
    `patience` is how many seconds one input may take.
    """

    corpora: Path
    crashes: Path
    seconds: int | None = None
    seed: int = 1
    patience: int = 20

    def arguments(self, target: Target, words: Path) -> Sequence[str]:
        """Those of libFuzzer."""
        length = f"-runs={target.runs}" if self.seconds is None else f"-max_total_time={self.seconds}"
        known = [f"-dict={words}"] if target.words else []
        return [
            "fuzz", *known, str(self.corpora / target.name), length, f"-seed={self.seed}",
            f"-timeout={self.patience}", f"-rss_limit_mb={MEMORY_MIB}", f"-max_len={target.longest}",
            f"-artifact_prefix={self.crashes / target.name}-", "-print_final_stats=1",
        ]  # fmt: skip


def instrumented() -> dict[str, Target]:
    """The targets, with every module of bootimg that they import reporting its coverage."""
    import atheris

    with atheris.instrument_imports(include=["bootimg"]):
        from tests.fuzz.targets import TARGETS
    return TARGETS


def fuzz(target: Target, plan: Plan, scratch: Path) -> bool:
    """Fuzz it; whether it stood up to that.  What libFuzzer says goes to stderr."""
    words = scratch / f"{target.name}.dict"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    sow(target, plan.corpora / target.name)
    folder = scratch / target.name
    folder.mkdir()
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            os.chdir(folder)
            _fuzz(target, plan.arguments(target, words), folder)
        finally:
            sys.stdout.flush()
            # What belongs to the parent, its folders above all, is not this process's to clean up.
            os._exit(_FAILED)
    return os.waitpid(child, 0)[1] == 0


def _escaped(word: str) -> str:
    """The word's bytes as a dictionary of libFuzzer has them."""
    return "".join(f"\\x{byte:02x}" for byte in word.encode("latin-1" if max(word) < "\u0100" else "utf-8"))


def sow(target: Target, corpus: Path) -> None:
    """Put the target's seeds into its corpus."""
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number:02}").write_bytes(seed)


def _fuzz(target: Target, arguments: Sequence[str], folder: Path) -> None:
    """Does not return but with an exception: libFuzzer ends the process."""
    import atheris

    options: dict[str, Any] = {}
    if mutate := target.mutate:
        options["custom_mutator"] = lambda data, longest, seed: mutate(data, longest, seed, atheris.Mutate)

    def run(data: bytes) -> None:
        try:
            target.run(data, folder)
        except BaseException:  # noqa: BLE001 - whatever it is, it is what is looked for
            traceback.print_exc()
            sys.stderr.flush()
            # Of an end by a signal libFuzzer keeps the input.
            os.abort()

    atheris.Setup(list(arguments), run, **options)
    atheris.Fuzz()

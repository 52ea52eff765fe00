"""What a case is: an input that was made to do harm, who reads it, and what has to come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ACCEPTED = "accepted"
Make = Callable[[Path], None]
Read = Callable[[Path], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`make` writes the input to a folder, `read` is the product reading it.

    `outcome` is what has to come of it: the id of an error, and with a slash the limit that it names, or
    `accepted`.  `seconds` and `memory` (MiB of data) are what `read` may take.  `quick` ones are unit tests.
    """

    name: str
    says: str
    make: Make
    read: Read
    outcome: str
    seconds: int
    memory: int
    quick: bool


CASES: dict[str, Case] = {}


def case(
    read: Read, outcome: str, *, seconds: int = 30, memory: int = 500, quick: bool = False
) -> Callable[[Make], Make]:
    """Makes a case of the function that makes its input; the docstring says what it is."""

    def add(make: Make) -> Make:
        name = make.__name__.replace("_", "-")
        says = " ".join((make.__doc__ or "").split())
        CASES[name] = Case(
            name=name,
            says=says,
            make=make,
            read=read,
            outcome=outcome,
            seconds=seconds,
            memory=memory,
            quick=quick,
        )
        return make

    return add

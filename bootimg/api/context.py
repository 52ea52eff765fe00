"""What the functions of the Python API have in common: architecture and cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from os import PathLike
from pathlib import Path

from bootimg.arch import Arch, ArchChoice
from bootimg.cache import Cache, default_root
from bootimg.housekeeping import in_use

StrPath = str | PathLike[str]


def arch_of(arch: Arch | str | None) -> Arch:
    """The architecture of that name, else this machine's; raises `arch-unknown`."""
    if arch is None:
        return Arch.of_machine()
    return arch if isinstance(arch, Arch) else Arch.parse(arch)


def arch_choice(arches: str | Sequence[Arch]) -> ArchChoice:
    """The architectures of a text such as `--arch` takes, or those of a sequence; raises `arch-unknown`."""
    return ArchChoice.parse(arches) if isinstance(arches, str) else ArchChoice(tuple(arches))


def cache_of(cache: StrPath | None) -> Cache:
    """The cache in that folder, else the user's."""
    return Cache(Path(cache if cache is not None else default_root()).absolute())


@contextmanager
def cache_in_use(cache: StrPath | None) -> Iterator[Cache]:
    """The cache, from which nothing is cleaned while the body runs."""
    found = cache_of(cache)
    with in_use(found):
        yield found


@contextmanager
def cache_for_plans(cache: StrPath | None) -> Iterator[Cache]:
    """The cache as `cache_in_use` gives it, if it exists; one that does not exist is not made."""
    found = cache_of(cache)
    with in_use(found) if found.root.is_dir() else nullcontext():
        yield found

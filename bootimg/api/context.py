"""What the functions of the Python API have in common: architecture and cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from bootimg.arch import Arch
from bootimg.cache import Cache, default_root
from bootimg.housekeeping import in_use

StrPath = str | PathLike[str]


def arch_of(arch: Arch | str | None) -> Arch:
    """The architecture of that name, else this machine's; raises `arch-unknown`."""
    if arch is None:
        return Arch.of_machine()
    return arch if isinstance(arch, Arch) else Arch.parse(arch)


def cache_of(cache: StrPath | None) -> Cache:
    """The cache in that folder, else the user's."""
    return Cache(Path(cache if cache is not None else default_root()).absolute())


@contextmanager
def cache_in_use(cache: StrPath | None) -> Iterator[Cache]:
    """The cache, from which nothing is cleaned while the body runs."""
    found = cache_of(cache)
    with in_use(found):
        yield found

"""Where kernel, arguments, initramfs and environment block are loaded: as zipl chooses, job.c."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bootimg.disk.zipl.format import LOAD_ADDRESS
from bootimg.sizes import align_up

_PAGE, _INITRAMFS_ALIGNMENT = 0x1000, 0x10000
_ARGUMENTS_ROOM = 0x10000
NO_ARGUMENTS, NO_INITRAMFS = 0xFFFFFFFFFFFFFFFF, 0
LIMIT = 0x80000000
"""The end of the memory that a machine addresses with 31 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Addresses in memory; the kernel's is LOAD_ADDRESS.  What is not there has zipl's value for that."""

    arguments: int = NO_ARGUMENTS
    initramfs: int = NO_INITRAMFS
    environment: int


def choose_addresses(
    kernel: int, initramfs: int | None, environment: int, *, arguments: bool = True
) -> Addresses:
    """Addresses for these sizes in bytes: each the lowest that is free; ValueError if one is over LIMIT."""
    used = [(LOAD_ADDRESS, align_up(kernel, _PAGE))]
    found = dict[str, int]()
    for name, size, alignment in (
        ("arguments", _ARGUMENTS_ROOM if arguments else None, _PAGE),
        ("initramfs", initramfs, _INITRAMFS_ALIGNMENT),
        ("environment", environment, _PAGE),
    ):
        if size is None:
            continue
        room = align_up(size, _PAGE)
        address = next(each for each in _candidates(used, alignment) if _is_free(each, room, used))
        if address + room > LIMIT:
            raise ValueError("they do not fit into the first two GiB of memory")
        used.append((address, room))
        found[name] = address
    return Addresses(**found)


def _candidates(used: list[tuple[int, int]], alignment: int) -> Iterator[int]:
    """The ends of what is placed already, ascending."""
    return iter(sorted(align_up(start + size, alignment) for start, size in used))


def _is_free(address: int, room: int, used: list[tuple[int, int]]) -> bool:
    return all(address >= start + size or address + room <= start for start, size in used)

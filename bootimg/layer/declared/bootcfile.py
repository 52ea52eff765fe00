"""The TOML files in which a layer speaks to bootc, read by bootc's own rules."""

from __future__ import annotations

import tomllib
from typing import Any, TypeGuard

from bootimg.arch import Arch
from bootimg.printable import shown
from bootimg.sizes import KIB

MATCH = "match-architectures"
# tomllib takes minutes for some files of a megabyte; these have some hundred bytes.
_LIMIT = 16 * KIB


def read_toml(data: bytes) -> dict[str, Any]:
    """The document; a ValueError says why there is none."""
    if len(data) > _LIMIT:
        raise ValueError(f"it has more than {_LIMIT} bytes")
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not TOML ({str(error)[:300]})") from None


def take_match(table: dict[str, Any], arch: Arch) -> bool:
    """Take `match-architectures` out of a table: whether the table is for `arch`, as Rust names it.

    A ValueError names a value of another type than bootc takes.
    """
    arches = table.pop(MATCH, None)
    if arches is None:
        return True
    if not is_strings(arches):
        raise ValueError(f"{MATCH} = {shown(arches)}")
    return arch.rust in arches


def is_strings(value: object) -> TypeGuard[list[str]]:
    """Whether a value is a list of strings."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)

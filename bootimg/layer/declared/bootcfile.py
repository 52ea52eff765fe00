"""The TOML files in which a layer speaks to bootc, read by bootc's own rules."""

from __future__ import annotations

from bootimg.arch import Arch
from bootimg.untrusted.node import Fields

_MATCH = "match-architectures"


def is_for(table: Fields, arch: Arch) -> bool:
    """Whether a table is for `arch`, as Rust names it, by its `match-architectures`, if it has any."""
    return table.is_absent(_MATCH) or arch.rust in table.each(_MATCH, str)

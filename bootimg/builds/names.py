"""Names that come from a builds tree of somebody else's, before a path or a key is made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from bootimg.arch import Arch
from bootimg.builds.layout import LATEST
from bootimg.builds.malformed import malformed
from bootimg.printable import shown

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~^:@-]{0,254}")


def safe_name(name: object, where: str) -> str:
    """The name of a build or a file, if it is one that stays in its folder: else `build-meta-malformed`."""
    if not is_name(name):
        raise malformed(where, f"has a name that cannot be: {shown(name)}")
    return name


def safe_images(meta: Mapping[str, Any], where: str) -> dict[str, dict[str, Any]]:
    """`images` of a meta.json, each with a name that is safe and a digest: else `build-meta-malformed`."""
    images = meta.get("images", {})
    if not isinstance(images, dict):
        raise malformed(where, "cannot be read: images is no object")
    for key, entry in images.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("sha256"), str):
            raise malformed(where, f"cannot be read: {key:.80} has no path or sha256")
        safe_name(entry.get("path"), f"{where}: {key:.80}")
        if not is_size(entry.get("size", 0)):
            raise malformed(where, f"cannot be read: {key:.80} has no whole size")
    return images


def is_name(name: object) -> TypeGuard[str]:
    """Whether it can be the name of a build or a file."""
    return isinstance(name, str) and bool(_NAME.fullmatch(name)) and name != LATEST


def is_size(size: object) -> TypeGuard[int]:
    """Whether it can be the size of a file."""
    return isinstance(size, int) and 0 <= size < 1 << 63


def known_arches(names: list[str]) -> list[Arch]:
    """Those of the architectures that bootimg knows; coreos-assembler has more (riscv64)."""
    return [arch for arch in Arch if arch.value in names]

"""Names that come from a builds tree of somebody else's, before a path or a key is made of them."""

from __future__ import annotations

import re

from bootimg.arch import Arch
from bootimg.builds.layout import LATEST
from bootimg.errors import BootimgError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~^:@-]{0,254}")


def safe_name(name: object, where: str) -> str:
    """The name of a build or a file, if it is one that stays in its folder: else `build-meta-malformed`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name == LATEST:
        raise BootimgError("build-meta-malformed", f"{where} has a name that cannot be: {str(name)!r:.120}")
    return name


def known_arches(names: list[str]) -> list[Arch]:
    """Those of the architectures that bootimg knows; coreos-assembler has more (riscv64)."""
    return [arch for arch in Arch if arch.value in names]

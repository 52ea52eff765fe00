"""Names of files on an ISO: the 8.3 names of its primary tree beside the names of Rock Ridge and Joliet.

coreos-installer reads the primary tree only, and looks a path up in upper case.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from bootimg.errors import BootimgError, ExitCode

_NAME = re.compile(r"[A-Za-z0-9_+@~-][A-Za-z0-9_+@~.-]{0,63}")
_FOREIGN = re.compile(r"[^A-Z0-9_]")
_LEVELS = 8


def split_path(path: str) -> list[str]:
    """The names of a path on the ISO; `iso-name-invalid` if a tree of the ISO cannot have one of them."""
    names = path.split("/")
    if len(names) > _LEVELS:
        raise invalid_name(path, f"it has more than {_LEVELS} levels")
    if not all(_NAME.fullmatch(name) for name in names):
        raise invalid_name(
            path, "a name has 1 to 64 letters, digits and . _ + @ ~ -, and does not begin with ."
        )
    return names


def short_name(name: str, used: Collection[str], *, folder: bool = False) -> str:
    """The 8.3 name for a name, different from those in `used`: `features.json` becomes FEATURES.JSO.

    A folder has no extension.  A name that is used already gets a number instead of its last characters.
    """
    stem, _, extension = (name, "", "") if folder else name.rpartition(".") if "." in name else (name, "", "")
    stem = _FOREIGN.sub("_", stem.upper())
    extension = _FOREIGN.sub("_", extension.upper())[:3]
    found = _joined(stem[:8], extension)
    number = 0
    while found in used:
        found = _joined(f"{stem[:5]}{number:03}", extension)
        number += 1
    return found


def short_path(path: str) -> str:
    """A file's path in 8.3 names, if none of its names was used already."""
    *folders, name = path.split("/")
    return "/".join([*(short_name(each, (), folder=True) for each in folders), short_name(name, ())])


def _joined(stem: str, extension: str) -> str:
    return f"{stem}.{extension}" if extension else stem


def invalid_name(path: str, why: str) -> BootimgError:
    """The error for a path that an ISO cannot have."""
    return BootimgError(
        "iso-name-invalid",
        f"{path!r:.200} cannot be a file of the ISO: {why}",
        hint="rename it in the layer's usr/share/coreos-assembler/live",
        exit_code=ExitCode.USAGE,
    )

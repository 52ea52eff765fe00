"""os-release(5): shells, systemd, libostree and bootimg read it, each by its own rules.

So it may have only what all of them read alike: `NAME=value` from the start of a line, with a value of plain
characters, or in quotes without backslash, `$` and backquote.
"""

from __future__ import annotations

import re
from functools import partial

from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree
from bootimg.untrusted.textfile import text_lines
from bootimg.untrusted.tree import Malformed, Refuse

# A layer in ostree's own layout has its /etc in /usr/etc.
PATHS = ("etc/os-release", "usr/etc/os-release", "usr/lib/os-release")
"""The first that is there counts."""
_LINE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*?)[ \t]*")
# A word of a shell, in pieces: plain, in quotes, or a quote after a backslash.
_PIECE = re.compile(r"""([A-Za-z0-9_.,:/@%^~+-]+)|"([^"\\$`]*)"|'([^'\\$`]*)'|\\(['"])""")


def os_release(tree: Tree) -> dict[str, str]:
    """What the tree's os-release assigns; empty where it has none, `os-release-malformed`."""
    path = next(filter(tree.exists, PATHS), None)
    return {} if path is None else parse_os_release(tree.read(path), partial(malformed, path))


def parse_os_release(data: bytes, refuse: Refuse = Malformed) -> dict[str, str]:
    """The assignments, unquoted; `refuse` makes the error where programs would not agree about them."""
    found: dict[str, str] = {}
    for number, line in enumerate(text_lines(data, refuse), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        value = None if match is None else _unquoted(match[2])
        if match is None or value is None:
            raise refuse(f'line {number} is neither NAME=value nor NAME="value": {line!r:.80}')
        if match[1] in found:
            raise refuse(f"{match[1]:.80} stands twice")
        found[match[1]] = value
    return found


def _unquoted(word: str) -> str | None:
    """The word without its quotes; None if programs would not agree about it."""
    pieces, at = [], 0
    while at < len(word):
        match = _PIECE.match(word, at)
        if match is None:
            return None
        pieces.append(match[match.lastindex or 0])
        at = match.end()
    return "".join(pieces)


def malformed(where: str, why: str) -> BootimgError:
    """The error for the file at a path of the system."""
    return BootimgError(
        "os-release-malformed",
        f"/{where} of the image is not what all programs read alike: {why}",
        hint='write each line as NAME="value", and each name once',
        exit_code=ExitCode.USAGE,
    )

"""Files of lines that several programs read, each by its own rules: only what all read alike is accepted."""

from __future__ import annotations

import re

from bootimg.untrusted.files import TEXT_LIMIT
from bootimg.untrusted.tree import Malformed, Refuse, require_size

# For C programs a NUL ends the text.  Some programs end a line at these, most do not.
CONTROL = re.compile(r"[\0-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")
"""A character that may be in no line."""


def text_lines(data: bytes, refuse: Refuse = Malformed, *, limit: int = TEXT_LIMIT) -> list[str]:
    """The lines of a file of UTF-8, without line ends and without control characters other than tabs."""
    require_size(data, limit, refuse)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise refuse("it is not UTF-8") from None
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if CONTROL.search(line):
            raise refuse(f"line {number} has a control character")
    return lines if lines[-1] else lines[:-1]

"""GLib's key files, as ostree and systemd have them: what GLib and stricter readers read alike.

Source of the rules: GLib's gkeyfile.c.  Refused are a group or a key that stands twice, text before the first
group, lines that are no key, keys of a language, escapes, and blanks where readers differ about them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bootimg.untrusted.textfile import text_lines
from bootimg.untrusted.tree import Malformed, Refuse

_GROUP = re.compile(r"\[([^][\x00-\x1f\x7f]+)\]")
_KEY = re.compile(r"([A-Za-z0-9._:/+@-]+)[ \t]*=[ \t]*(.*)")
# GLib refuses a file whose first group has another value than UTF-8 for it.
_ENCODING = "Encoding"
KeyFile = Mapping[str, Mapping[str, str]]
"""The values by group and key."""


def parse_key_file(data: bytes, refuse: Refuse = Malformed) -> KeyFile:
    """The file's groups; the error is `refuse`'s."""
    found: dict[str, dict[str, str]] = {}
    group: dict[str, str] | None = None
    for number, line in enumerate(text_lines(data, refuse), 1):
        if not line or line.startswith("#"):
            continue
        if match := _GROUP.fullmatch(line):
            if match[1] in found:
                raise refuse(f"the group {match[1]!r:.80} stands twice")
            group = found[match[1]] = {}
            continue
        key, value = _pair(line, number, refuse)
        if group is None:
            raise refuse(f"line {number} stands before the first group")
        if key in group:
            raise refuse(f"the key {key!r:.80} stands twice in one group")
        group[key] = value
    return found


def _pair(line: str, number: int, refuse: Refuse) -> tuple[str, str]:
    match = _KEY.fullmatch(line)
    if match is None or match[1] == _ENCODING:
        raise refuse(f"line {number} is no group, no key with a value and no comment")
    key, value = match.groups()
    if "\\" in value or value != value.rstrip():
        raise refuse(f"line {number} has an escape or ends with a blank")
    return key, value

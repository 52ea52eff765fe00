"""GLib's key files, as ostree writes the repository's configuration and a deployment's origin.

Source of the escapes: GLib's g_key_file_set_string (g_key_file_parse_string_as_value).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\\": "\\\\"}
# Blanks are escaped where a value begins: there a reader would drop them.
_LEADING = {" ": "\\s", "\t": "\\t"}


def key_file(first: Sequence[tuple[str, str]], config: Mapping[str, str]) -> bytes:
    """The file with the keys `first` and `config`, each named `group.key`; groups in their order."""
    groups: dict[str, list[str]] = {}
    for name, value in (*first, *config.items()):
        group, _, key = name.partition(".")
        groups.setdefault(group, []).append(f"{key}={escaped(value)}\n")
    return "\n".join(f"[{group}]\n{''.join(lines)}" for group, lines in groups.items()).encode()


def escaped(value: str) -> str:
    """A value as it stands in the file."""
    rest = value.lstrip(" \t")
    leading = value[: len(value) - len(rest)]
    return "".join(_LEADING[each] for each in leading) + re.sub(r"[\n\r\\]", lambda m: _ESCAPES[m[0]], rest)

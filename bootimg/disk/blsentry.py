"""Boot Loader Specification entries (files of loader/entries), which GRUB, ostree and zipl read by own rules.

GRUB takes the first of two lines with one key, ostree the last.  A line without a value ends the file for
GRUB.  `entry_fault` finds such differences.  A line ends at a line feed alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from bootimg.errors import BootimgError
from bootimg.kernelarg import split
from bootimg.untrusted.textfile import CONTROL

_LINE = re.compile(r"([a-z][A-Za-z0-9_-]*)[ \t]+[^ \t].*")
_LISTS = ("options", "initrd")
_REPEATED = ("initrd", "devicetree-overlay", "grub_arg", "grub_class")


def entry_fault(text: str) -> str | None:
    """Why boot loaders may read the entry differently; None where they do not."""
    found: set[str] = set()
    for number, line in enumerate(text.rstrip("\n").split("\n"), 1):
        if line.startswith("#") and not CONTROL.search(line):
            continue
        match = None if CONTROL.search(line) else _LINE.fullmatch(line)
        if match is None:
            return f"line {number} is not a key and its value: {line!r:.80}"
        if match[1] in found and match[1] not in _REPEATED:
            return f"{match[1]:.80} stands twice"
        # What is appended would be a part of its last word.
        if match[1] == "options" and line.count('"') % 2:
            return f"line {number} has a quote that is not closed"
        found.add(match[1])
    return None


def require_alike(name: str, text: str) -> None:
    """Refuse an entry that boot loaders may read differently: `boot-entry-malformed`."""
    if (why := entry_fault(text)) is not None:
        raise BootimgError(
            "boot-entry-malformed",
            f"the boot loader entry {name:.200} is not what all boot loaders read alike: {why}",
            hint="the disk was changed after it was made: get it again, or build from the layer",
        )


def bls_entry(text: str) -> dict[str, Any]:
    """The keys and their values, `options` and `initrd` as lists."""
    found: dict[str, Any] = {key: [] for key in _LISTS}
    for line in text.split("\n"):
        key, *values = line.split(maxsplit=1) or [""]
        if not key or key.startswith("#"):
            continue
        value = values[0].strip() if values else ""
        if key in _LISTS:
            found[key] += split(value)
        else:
            found[key] = value
    return found


def options_of(text: str) -> tuple[str, ...] | None:
    """The kernel arguments of the first line that has them."""
    return next((tuple(split(line)[1:]) for line in text.split("\n") if _is_options(line)), None)


def append_options(entry: str, arguments: Sequence[str]) -> str:
    """A BLS entry with arguments appended to its options lines."""
    if not arguments:
        return entry
    lines = entry.removesuffix("\n").split("\n")
    for number, line in enumerate(lines):
        if _is_options(line):
            lines[number] = " ".join([line.rstrip(), *arguments])
    return "".join(f"{line}\n" for line in lines)


def replace_options(entry: str, arguments: Sequence[str]) -> str:
    """A BLS entry with these arguments in the place of all but the deployment's own `ostree=`."""
    lines = entry.removesuffix("\n").split("\n")
    for number, line in enumerate(lines):
        if _is_options(line):
            deployment = [word for word in split(line) if word.startswith("ostree=")]
            lines[number] = " ".join(["options", *arguments, *deployment])
    return "".join(f"{line}\n" for line in lines)


def remove_options(entry: str, arguments: Sequence[str]) -> str:
    """A BLS entry without these arguments; `boot-entry-changed` if its options do not end with them."""
    if not arguments:
        return entry
    lines = entry.removesuffix("\n").split("\n")
    for number, line in enumerate(lines):
        if _is_options(line):
            words = split(line.strip())
            if tuple(words[-len(arguments) :]) != tuple(arguments):
                raise BootimgError(
                    "boot-entry-changed",
                    "the disk's boot loader entry does not end with its platform's kernel arguments",
                    context=[f"expected at the end: {' '.join(arguments)}", line.strip()[-200:]],
                    hint="the disk was changed after it was made: build from the layer",
                )
            lines[number] = " ".join(words[: -len(arguments)])
    return "".join(f"{line}\n" for line in lines)


def _is_options(line: str) -> bool:
    return line.startswith(("options ", "options\t"))

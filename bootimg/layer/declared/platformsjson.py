"""/usr/share/coreos-assembler/platforms.json: each platform's console settings, by the layer's own word."""

from __future__ import annotations

import json
from collections.abc import Mapping

from bootimg.errors import BootimgError
from bootimg.kernelarg import KernelArgument, closes_quotes
from bootimg.platform import Console

PATH = "usr/share/coreos-assembler/platforms.json"
_KEYS = {"grub_commands", "kernel_arguments"}


def parse_platforms_json(data: bytes) -> Mapping[str, Console]:
    """The settings by platform; `platforms-json-malformed` where they are not what GRUB and a kernel take.

    The file is copied to the disk as it is, and coreos-installer reads it there.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _malformed(f"it is not JSON ({error})") from None
    if not isinstance(document, dict):
        raise _malformed("it is no object of objects, one a platform")
    return {name: _console(name, entry) for name, entry in document.items()}


def _console(name: str, entry: object) -> Console:
    if not isinstance(entry, dict):
        raise _malformed("it is no object of objects, one a platform")
    if unknown := sorted(set(entry) - _KEYS):
        raise _malformed(f"{name:.80} has unknown settings: {', '.join(unknown)[:80]}")
    commands, arguments = (_lines(name, key, entry.get(key, [])) for key in sorted(_KEYS))
    if any(len(argument.split()) != 1 for argument in arguments):
        raise _malformed(f"a kernel argument of {name:.80} is empty or has a space in it")
    if not all(map(closes_quotes, commands)):
        raise _malformed(f"a command of {name:.80} has a quote in it that is not closed")
    where = f"/{PATH}: kernel_arguments of {name:.80}"
    return Console(commands, tuple(KernelArgument.parse(argument, where) for argument in arguments))


def _lines(name: str, key: str, values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise _malformed(f"{key} of {name:.80} is no list of strings")
    # A line more would be another command, or the end of the part that coreos-installer replaces.
    if any(not value.isprintable() for value in values):
        raise _malformed(f"{key} of {name:.80} has a character in it that cannot be printed")
    return tuple(values)


def _malformed(what: str) -> BootimgError:
    return BootimgError(
        "platforms-json-malformed",
        f"/{PATH} of the image is not what it should be: {what}",
        hint="coreos-assembler's platforms.yaml of this architecture, as JSON, is what belongs there",
    )

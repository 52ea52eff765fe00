"""/usr/share/coreos-assembler/platforms.json: each platform's console settings, by the layer's own word."""

from __future__ import annotations

from collections.abc import Mapping

from bootimg.errors import BootimgError
from bootimg.kernelarg import KernelArgument, closes_quotes
from bootimg.platform import Console
from bootimg.untrusted.jsonfile import parse_json
from bootimg.untrusted.node import Fields, Node

PATH = "usr/share/coreos-assembler/platforms.json"
_KEYS = ("grub_commands", "kernel_arguments")


def parse_platforms_json(data: bytes) -> Mapping[str, Console]:
    """The settings by platform; `platforms-json-malformed` where they are not what GRUB and a kernel take.

    The file is copied to the disk as it is, and coreos-installer reads it there.
    """
    platforms = parse_json(data, _malformed, exact=True).members()
    return {name: _console(name, each) for name, each in platforms.items()}


def _console(name: str, entry: Node) -> Console:
    fields = entry.fields().allow(_KEYS)
    commands, arguments = (_lines(fields, key) for key in _KEYS)
    if any(len(argument.split()) != 1 for argument in arguments):
        raise _malformed(f"a kernel argument of {name:.80} is empty or has a space in it")
    if not all(map(closes_quotes, commands)):
        raise _malformed(f"a command of {name:.80} has a quote in it that is not closed")
    where = f"/{PATH}: kernel_arguments of {name:.80}"
    return Console(commands, tuple(KernelArgument.parse(argument, where) for argument in arguments))


def _lines(fields: Fields, key: str) -> tuple[str, ...]:
    values = fields.each(key, str)
    # A line more would be another command, or the end of the part that coreos-installer replaces.
    if any(not value.isprintable() for value in values):
        raise fields.at(key).error("has a character in it that cannot be printed")
    return values


def _malformed(what: str) -> BootimgError:
    return BootimgError(
        "platforms-json-malformed",
        f"/{PATH} of the image is not what it should be: {what}",
        hint="coreos-assembler's platforms.yaml of this architecture, as JSON, is what belongs there",
    )

"""The EFI programs of a layer, as entries from EFI on."""

from __future__ import annotations

from pathlib import Path

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.bootloaders.efi_grub import efi_payload
from bootimg.events import Events
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tar.entry import Kind
from bootimg.layer.tree.merged import open_tree
from bootimg.sizes import MIB
from bootimg.sysroot.entries import Entry, directory, text


def efi_programs(layer: Path, cache: Cache) -> list[Entry]:
    """What the layer has for the ESP."""
    tree = open_tree(fetch(str(layer), arch=Arch.X86_64, cache=cache, events=Events()), cache, Events())
    found = [directory("EFI", 0o755, 0)]
    for folder in efi_payload(tree):
        for each in tree.walk(folder):
            path = f"EFI/{each.path.removeprefix(folder + '/')}"
            if each.kind is Kind.DIRECTORY:
                found.append(directory(path, 0o755, 0))
            else:
                found.append(text(path, tree.read(each.path, 64 * MIB), 0))
    return found

"""What bootupd puts on the ESP, read from the layer: the files of its EFI payload, and the vendor's folder.

Source: bootupd's src/efi.rs (install, get_efi_component_from_usr, get_efi_vendor) and src/filetree.rs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bootimg.disk.bootloaders.bootupd import UPDATES
from bootimg.disk.native.products.bootupdstate import OTHER_LOADERS, Installed
from bootimg.disk.native.products.bootupdversions import Behaviour
from bootimg.layer.tar.entry import Entry as TreeEntry
from bootimg.layer.tar.entry import Kind
from bootimg.layer.tree.merged import Tree
from bootimg.sysroot.entries import Entry, directory, text

_EFI_LIB, _EFI_UPDATES = "usr/lib/efi", f"{UPDATES}/EFI"
_EFI = "EFI"


class UnknownBootupdError(Exception):
    """What bootupd would do with the layer is not known; `reason` is one line without a full stop."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Payload:
    """The entries of the ESP by path from its root, and the files as the state file has them."""

    entries: Mapping[str, Entry]
    files: Mapping[str, Installed]


def read_payload(tools: Tree, behaviour: Behaviour) -> Payload:
    """What is copied to the ESP; UnknownBootupdError if it is not certain."""
    entries: dict[str, Entry] = {_EFI: directory(_EFI, 0o755, 0)}
    files: dict[str, Installed] = {}
    for folder, base in _folders(tools, behaviour):
        for found in tools.walk(folder):
            inner = found.path.removeprefix(f"{folder}/")
            path = f"{_EFI}/{inner}"
            if found.kind is Kind.DIRECTORY:
                entries[path] = directory(path, 0o755, 0)
                continue
            if found.kind is not Kind.FILE or inner in files:
                why = "is twice in the payload" if inner in files else f"is a {found.kind}"
                raise UnknownBootupdError(f"the EFI payload's /{found.path:.200} {why}")
            content = b"".join(tools.chunks(found))
            entries[path] = text(path, content, 0)
            source = found.path.removeprefix(f"{base}/")
            files[inner] = Installed(source, len(content), hashlib.sha512(content).hexdigest())
    if not files:
        raise UnknownBootupdError(f"the layer has no EFI payload in /{_EFI_LIB} or /{_EFI_UPDATES}")
    return Payload(entries, files)


def _folders(tools: Tree, behaviour: Behaviour) -> Iterator[tuple[str, str]]:
    """The folders whose content belongs in EFI, each with the folder that its files' sources are in."""
    components = list(_components(tools)) if behaviour.payload_from_usr else []
    if not components:
        yield _EFI_UPDATES, _EFI_UPDATES
        return
    strange = [each.path for each in tools.walk(_EFI_LIB) if not _has_place(each, components)]
    if strange:
        raise UnknownBootupdError(f"/{strange[0]:.200} belongs to no version of a package's EFI programs")
    for folder in components:
        name = folder.split("/")[3]
        if not (behaviour.chooses and name in OTHER_LOADERS):
            yield folder, _EFI_LIB


def _components(tools: Tree) -> Iterator[str]:
    """The directories usr/lib/efi/<name>/<version>/EFI; one version of each name."""
    for name in tools.listdir(_EFI_LIB):
        found = [
            path
            for version in tools.listdir(f"{_EFI_LIB}/{name}")
            if (path := f"{_EFI_LIB}/{name}/{version}/{_EFI}") in tools.entries
            and tools.entries[path].kind is Kind.DIRECTORY
        ]
        if len(found) > 1:
            raise UnknownBootupdError(f"/{_EFI_LIB}/{name} has several versions")
        yield from found


def _has_place(found: TreeEntry, components: list[str]) -> bool:
    """Whether it is a directory, or a file that is copied: the state file would list any other file, too."""
    return found.kind is Kind.DIRECTORY or found.path.startswith(tuple(f"{each}/" for each in components))


def vendor_of(tools: Tree, behaviour: Behaviour, shim: str) -> str:
    """The folder of the file `shim` in the payload; UnknownBootupdError unless there is exactly one."""
    folder = _EFI_LIB if behaviour.vendor_from_usr and tools.exists(_EFI_LIB) else _EFI_UPDATES
    found = [each for each in tools.walk(folder) if each.kind is Kind.FILE and each.name == shim]
    if len(found) != 1:
        raise UnknownBootupdError(f"/{folder} has {len(found)} files {shim}, not one")
    return found[0].parent.rpartition("/")[2]

"""The tree of the live system's root file system: that of an installed disk, with all its partitions mounted.

Source: the live stage of osbuild.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tar.entry import Kind as FileKind
from bootimg.layer.tree.merged import Tree
from bootimg.sysroot.entries import Entry, Kind
from bootimg.sysroot.repository import REPO
from bootimg.sysroot.system import System

_MODULES = "usr/lib/modules"
_BOOT, _ESP = b"boot", b"boot/efi"
_CONFIG = f"{REPO}/config".encode()
_READ_ONLY = re.compile(rb"^readonly=true\n", re.MULTILINE)
_KERNEL = re.compile(rb"ostree/[^/]+/vmlinuz-[^/]+")
_HMAC = re.compile(rb"ostree/[^/]+/\.vmlinuz-[^/]+\.hmac")
# The mode of all that the kernel shows of a FAT file system.
_FAT_MODE = 0o755


def live_root(system: System, esp: Sequence[Entry]) -> list[Entry]:
    """The entries, each directory before what it holds.

    `esp` is empty where the system has no ESP.  Raises `live-kernel-hmac-missing`: a live system checks its
    kernel in FIPS mode.
    """
    boot = [*_linked(system.boot)]
    found = [*(_writable(entry) for entry in system.root if entry.path != _BOOT)]
    hidden = b"efi" if esp else None
    found += [replace(entry, path=_below(_BOOT, entry.path)) for entry in boot if entry.path != hidden]
    return [*found, *_mounted_esp(esp)]


def _writable(entry: Entry) -> Entry:
    """A repository that the live system may write to; its file system is read-only as it is."""
    if entry.path != _CONFIG:
        return entry
    assert isinstance(entry.content, bytes)
    content = _READ_ONLY.sub(b"", entry.content)
    return replace(entry, content=content, size=len(content))


def _linked(boot: Sequence[Entry]) -> Iterator[Entry]:
    """/boot; the kernel and its checksum have names at the top too, where dracut's FIPS module looks."""
    kernel, hmac = _one(boot, _KERNEL), _one(boot, _HMAC)
    links = {entry.path: replace(entry, link=entry.path.decode()) for entry in (kernel, hmac)}
    for entry in boot:
        yield links.get(entry.path, entry)
    for entry in links.values():
        yield replace(entry, path=entry.path.rpartition(b"/")[2])


def require_checksum(tree: Tree) -> None:
    """Raise `live-kernel-hmac-missing` for a layer whose kernel has no checksum beside it."""
    for version in tree.listdir(_MODULES):
        folder = f"{_MODULES}/{version}"
        hmac = tree.entries.get(f"{folder}/.vmlinuz.hmac")
        if tree.exists(f"{folder}/vmlinuz") and (hmac is None or hmac.kind is not FileKind.FILE):
            raise _no_checksum()


def _one(boot: Iterable[Entry], pattern: re.Pattern[bytes]) -> Entry:
    found = [entry for entry in boot if entry.kind is Kind.FILE and pattern.fullmatch(entry.path)]
    if len(found) != 1:
        raise _no_checksum()
    return found[0]


def _no_checksum() -> BootimgError:
    return BootimgError(
        "live-kernel-hmac-missing",
        "the layer has no checksum of its kernel, which a live system checks in FIPS mode",
        context=[f"there is no /{_MODULES}/VERSION/.vmlinuz.hmac"],
        hint="install the kernel's package as it is: RHEL's has the file",
        exit_code=ExitCode.USAGE,
    )


def _mounted_esp(esp: Sequence[Entry]) -> Iterator[Entry]:
    """The ESP as the kernel mounts it: all is root's and has one mode."""
    if esp:
        yield Entry(path=_ESP, kind=Kind.DIRECTORY, mode=_FAT_MODE)
    for entry in esp:
        yield replace(entry, path=_below(_ESP, entry.path), mode=_FAT_MODE, xattrs=())


def _below(folder: bytes, path: bytes) -> bytes:
    return folder + b"/" + path if path else folder

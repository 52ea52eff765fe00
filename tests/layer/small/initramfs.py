"""An initramfs of busybox, kernel modules and one script."""

from __future__ import annotations

import lzma
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import zstandard

from bootimg.live.cpio import TRAILER, packed_header, padding
from tests.layer.small.recipe import HERE
from tests.layer.tree import Tree

_FOLDERS = (
    "bin", "dev", "etc", "etc/selinux", "modules", "proc", "run", "stubs", "sys", "sysroot", "usr", "usr/lib",
    "usr/lib/ignition", "usr/lib/ostree",
)  # fmt: skip
_APPLETS = (
    "basename", "cat", "cp", "dd", "dirname", "grep", "insmod", "ln", "losetup", "mkdir", "mount", "poweroff",
    "readlink", "sed", "sh", "sleep", "switch_root", "umount",
)  # fmt: skip
# Ignition calls these in the initramfs; the modules are loaded already, and there is nothing to wait for.
_STUBS = ("modprobe", "udevadm", "setfiles")
_CONFIGURATION = ("etc/selinux/config", "usr/lib/ostree/prepare-root.conf")
_PROGRAM, _DATA = stat.S_IFREG | 0o755, stat.S_IFREG | 0o644


def make_initramfs(tree: Tree, modules: Path, wanted: Sequence[str]) -> bytes:
    """The archive, compressed; `modules` is a folder with all modules and depmod's modules.dep."""
    order = _in_order(modules, wanted)
    files: dict[str, tuple[bytes, int]] = {
        "init": ((HERE / "init").read_bytes(), _PROGRAM),
        "live": ((HERE / "live").read_bytes(), _DATA),
        "bin/busybox": (tree["usr/bin/busybox"].read(), _PROGRAM),
        "modules/order": ("".join(f"{_name(path)}\n" for path in order).encode(), _DATA),
    }
    files |= {path: (tree[path].read(), _DATA) for path in _CONFIGURATION}
    files |= {f"stubs/{name}": (b"#!/bin/busybox sh\n", _PROGRAM) for name in _STUBS}
    for path in order:
        files[f"modules/{_name(path)}"] = (lzma.decompress((modules / path).read_bytes()), _DATA)
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(b"".join(_archive(files)))


def _in_order(modules: Path, wanted: Sequence[str]) -> list[str]:
    """The paths of the modules that are not part of the kernel, each after those that it needs."""
    lines = (modules / "modules.dep").read_text().splitlines()
    needs = {path: words.split() for path, _, words in (line.partition(":") for line in lines)}
    paths = {_name(path).removesuffix(".ko").replace("-", "_"): path for path in needs}
    found: dict[str, None] = {}
    for name in wanted:
        if (path := paths.get(name)) is not None:
            # modules.dep has the nearest first.
            found.update(dict.fromkeys([*reversed(needs[path]), path]))
    return list(found)


def _name(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".xz")


def _archive(files: dict[str, tuple[bytes, int]]) -> Iterator[bytes]:
    for number, folder in enumerate(_FOLDERS, start=1):
        yield packed_header(folder, 0, number, stat.S_IFDIR | 0o755, 2)
    links = {f"bin/{name}": (b"busybox", stat.S_IFLNK | 0o777) for name in _APPLETS}
    for number, (name, (content, mode)) in enumerate((files | links).items(), start=len(_FOLDERS) + 1):
        yield packed_header(name, len(content), number, mode, 1)
        yield content + padding(len(content))
    yield packed_header(TRAILER, 0, 0, 0, 1)

"""Writes what a native base disk is made of.

`python -m tests.support.arches.nativewriters FOLDER [NAME ...]` prints one JSON document: the machine that
the interpreter sees, its byte order, and the digest of each file, or of those named.  Whichever interpreter
runs it, the files are the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from uuid import UUID

from bootimg.disk.bootloaders.bios_grub import boot_code
from bootimg.disk.bootloaders.grub import PREFIX, early_config
from bootimg.disk.bootloaders.i386pc import pc_core_image
from bootimg.disk.extents import FileSource
from bootimg.disk.filetree import Node
from bootimg.disk.gpt import Gpt, Partition, write_gpt
from bootimg.disk.native.ext4 import make_ext4
from bootimg.disk.native.ext4fill import fill_ext4
from bootimg.disk.xfs import XfsOptions, fill_xfs, make_xfs
from bootimg.disk.zipl.bootmap import BootFile, Geometry, Program, make_bootmap
from bootimg.disk.zipl.format import Run
from bootimg.manifest.recipe import Ext4
from bootimg.sizes import MIB
from bootimg.sysroot.entries import directory, text
from tests.support.arches import pcgrub
from tests.support.xfs import xfstrees

NOW = 1_700_000_000
ID = "5a8e3b9c-0e1d-4b2f-9c3d-aabbccddeeff"
XFS, BOOT = 320 * MIB, 32 * MIB


def main(folder: Path, names: Sequence[str] = ()) -> None:
    """Write every file, or those named, and print the document."""
    digests = {name: _digest(_WRITERS[name](folder / name)) for name in names or _WRITERS}
    print(json.dumps({"machine": os.uname().machine, "order": sys.byteorder, "digests": digests}))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sized(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


def _nodes() -> Iterator[Node]:
    """A directory of each form, files of one and of many extents, links and attributes."""
    random = Random(9)
    yield xfstrees.ROOT
    for count in (1, 20, 400, 3000):
        top = b"d%d" % count
        yield xfstrees.folder(top, xattrs=(xfstrees.label(),))
        for name in xfstrees.names_of(24, count):
            size = random.randrange(9000) if count < 1000 else 0
            yield xfstrees.file(top + b"/" + name, random.randbytes(size), xattrs=(xfstrees.label(b"etc_t"),))
    yield xfstrees.file(b"large", random.randbytes(3 * MIB))
    yield xfstrees.file(b"z", b"linked")
    yield xfstrees.link(b"zz", b"z")


def _zipl(path: Path) -> Path:
    """The bootmap and the record of a disk of s390x."""
    files = [
        BootFile(size, size, [Run(start, size // 512)]) for start, size in ((4096, MIB), (9999, 2 * MIB))
    ]
    program = Program(stage3=bytes(16384), kernel=files[0], initramfs=files[1], arguments=b"a=b")
    made = make_bootmap(program, Geometry(512, 1024), lambda offset: 20000 + offset // 512)
    path.write_bytes(made.content + made.record)
    return path


def _xfs(path: Path) -> Path:
    make_xfs(_sized(path, XFS), size=XFS, options=XfsOptions(uuid=ID))
    fill_xfs(path, _nodes(), now=NOW * 10**9)
    return path


def _ext4(path: Path) -> Path:
    options = Ext4(partition=3, uuid=ID, label="boot")
    make_ext4(_sized(path, BOOT), options, sector_size=512, epoch=NOW)
    files = (text(f"loader/{each}.conf", b"title %d\n" % each * 99, NOW * 10**9) for each in range(50))
    fill_ext4(path, [directory("loader", 0o755, NOW * 10**9), *files], epoch=NOW)
    return path


def write_disk(path: Path) -> Path:
    """A small disk with a partition table."""
    partitions = tuple(
        Partition(number, f"part-{number}", UUID(ID), UUID(int=number), number * 2048, 2048)
        for number in (1, 2, 3, 4)
    )
    write_gpt(path, Gpt(UUID(int=9), 8 * MIB // 512, partitions))
    return path


def _bios(path: Path) -> Path:
    """A boot sector and GRUB's core image for the BIOS."""
    modules = [*pcgrub.modules().values(), pcgrub.noise(100_000)]
    core = pc_core_image(pcgrub.FILES, modules, config=early_config().encode(), prefix=PREFIX)
    code = boot_code(pcgrub.BOOT_IMAGE, core, MIB)
    path.write_bytes(code.sector + code.partition)
    return path


def _image(disk_format: str, options: Mapping[str, str | bool]) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        # It imports zlib-ng, which not every interpreter has.
        from bootimg.formats import write

        with FileSource(path.with_name("xfs")) as source:
            write(disk_format, source, path, options)
        return path

    return make


WITHOUT_ZLIB_NG = ("gpt", "bios", "xfs", "ext4", "zipl")
"""Those that any interpreter can write."""
_WRITERS: Mapping[str, Callable[[Path], Path]] = {
    "gpt": write_disk,
    "bios": _bios,
    "xfs": _xfs,
    "ext4": _ext4,
    "zipl": _zipl,
    "qcow2": _image("qcow2", {"compat": "1.1", "compression": False}),
    "vhd": _image("vpc", {}),
    "vmdk": _image("vmdk", {"adapter_type": "lsilogic", "compat6": True, "subformat": "streamOptimized"}),
}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

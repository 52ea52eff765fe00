"""Makes the whole disk from the base disk and the platform's patch of /boot."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid5

from bootimg.disk.bootpatch import partition_copy
from bootimg.disk.ext4edit import Ext4Image
from bootimg.disk.extents import FileSource, Source
from bootimg.disk.gpt import Gpt, read_gpt, write_gpt
from bootimg.disk.native.ext4 import make_ext4
from bootimg.disk.native.ext4fill import fill_ext4
from bootimg.disk.zipl.blocks import BootPartition
from bootimg.disk.zipl.bootmap import BootFile, Program
from bootimg.disk.zipl.describe import SDBOOT, SECURE
from bootimg.disk.zipl.entry import FILE_LIMIT, find_entry
from bootimg.disk.zipl.record import install_bootmap
from bootimg.errors import BootimgError, ExitCode
from bootimg.manifest.recipe import Ext4
from bootimg.secex.hostimage import Parts, make_host_image
from bootimg.secex.layout import (
    BOOT,
    BOOT_HASH,
    ROOT,
    ROOT_HASH,
    SE,
    Assembled,
    Piece,
    secure_table,
)
from bootimg.secex.verity import Verity
from bootimg.sizes import MIB, format_size
from bootimg.sysroot.entries import directory, text

_IDS = UUID("b4d2d1a6-58d7-4a5e-9d3f-6c0a4d1f0c57")
_FIRSTBOOT = "ignition.firstboot"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecureDisk:
    """What the disk is made of.

    `source` is the base disk with the platform's patch, `entry` the number of its boot loader entry, `size`
    the disk's in bytes, or None for the smallest that it can have.  `epoch` is in seconds since 1970.
    """

    source: Source
    layer_digest: str
    stage3: bytes
    entry: str
    host_keys: Sequence[Path]
    private_key: bytes
    size: int | None
    epoch: int

    @contextmanager
    def assembled(self, scratch: Path) -> Iterator[Assembled]:
        """The disk, put together from files in `scratch`.

        Raises `secure-image-failed`, `secure-image-too-large`, and those of `bootimg.disk.zipl`.
        """
        base = read_gpt(self.source)
        table = secure_table(base, self.layer_digest)
        hashes, trees = dict[int, str](), dict[int, Path]()
        for data, tree in ((BOOT, BOOT_HASH), (ROOT, ROOT_HASH)):
            trees[tree] = scratch / f"hashes-{data}"
            hashes[data] = self._verity(table, tree).write(self.source, *base.span(data), trees[tree])
        partition, record = self._se_partition(base, table, hashes, scratch)
        with ExitStack() as stack:
            opened = {number: stack.enter_context(FileSource(path)) for number, path in trees.items()}
            head = stack.enter_context(FileSource(_table_file(table, record, scratch)))
            opened[SE] = stack.enter_context(FileSource(partition))
            pieces = [Piece(table.span(number)[0], each, 0, each.size) for number, each in opened.items()]
            pieces += (Piece(table.span(n)[0], self.source, *base.span(n)) for n in (BOOT, ROOT))
            # The table's copy is behind the last partition.
            pieces += (Piece(at, head, at, MIB) for at in (0, head.size - MIB))
            yield Assembled(pieces, max(table.size, self.size or 0))

    def _verity(self, table: Gpt, number: int) -> Verity:
        guid = table.partition(number).guid
        return Verity(uuid5(_IDS, str(guid)), hashlib.sha256(guid.bytes).digest())

    def _se_partition(
        self, base: Gpt, table: Gpt, hashes: dict[int, str], scratch: Path
    ) -> tuple[Path, bytes]:
        """The partition with the encrypted image, and the record that leads to it."""
        image = scratch / "image"
        make_host_image(self._parts(base, hashes, scratch), self.host_keys, image)
        start, length = table.span(SE)
        found = scratch / SECURE
        with found.open("wb") as file:
            file.truncate(length)
        guid = str(uuid5(_IDS, str(table.partition(SE).guid)))
        make_ext4(found, Ext4(partition=SE, uuid=guid, label=SECURE), sector_size=512, epoch=self.epoch)
        content = image.read_bytes()
        if len(content) > length * 9 // 10:
            raise _too_large(len(content), length)
        now = self.epoch * 10**9
        folders = [directory("", 0o755, now), directory("lost+found", 0o700, now)]
        fill_ext4(found, [*folders, text(SDBOOT.lstrip("/"), content, now)], epoch=self.epoch, dense=True)
        partition = BootPartition(Ext4Image(found), start, table.sector_size)
        kernel = BootFile(len(content), len(content), partition.runs(SDBOOT))
        record = install_bootmap(partition, Program(stage3=self.stage3, kernel=kernel))
        partition.image.check_clean()
        return found, record

    def _parts(self, base: Gpt, hashes: dict[int, str], scratch: Path) -> Parts:
        with partition_copy(self.source, *base.span(BOOT), scratch) as image:
            entry = find_entry(image, self.entry)
            found = image.read([entry.kernel, entry.initramfs], FILE_LIMIT)
            kernel, initramfs = (found[path].content for path in (entry.kernel, entry.initramfs))
        if kernel is None or initramfs is None:
            raise _missing(entry.kernel if kernel is None else entry.initramfs)
        words = [entry.options, _FIRSTBOOT]
        words += [f"rootfs.roothash={hashes[ROOT]}", f"bootfs.roothash={hashes[BOOT]}"]
        return Parts(
            kernel=kernel, initramfs=initramfs, private_key=self.private_key, arguments=" ".join(words)
        )


def _table_file(table: Gpt, record: bytes, scratch: Path) -> Path:
    """A sparse file of the disk's size with the record and both copies of the table."""
    path = scratch / "table"
    write_gpt(path, table)
    with path.open("r+b") as file:
        file.write(record)
    return path


def _missing(path: str) -> BootimgError:
    return BootimgError(
        "zipl-files-unusable",
        "zipl cannot start the kernel of the boot partition",
        context=[f"/boot{path} does not exist"],
        hint="check the layer's kernel, initramfs and kernel arguments; `bootimg inspect` shows the entry",
    )


def _too_large(size: int, room: int) -> BootimgError:
    return BootimgError(
        "secure-image-too-large",
        "the image for Secure Execution does not fit its partition",
        context=[f"it has {format_size(size)}, the partition {format_size(room)}"],
        hint="make the layer's initramfs smaller",
        exit_code=ExitCode.USAGE,
    )

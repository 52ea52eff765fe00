"""Makes the boot partition of a disk bootable by zipl's records, for one platform's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bootimg.disk.ext4edit import Ext4Image, FileEdit
from bootimg.disk.zipl.blocks import BootPartition, locator
from bootimg.disk.zipl.bootmap import BootFile, Bootmap, Geometry, Program, make_bootmap
from bootimg.disk.zipl.entry import FILE_LIMIT, find_entry
from bootimg.disk.zipl.kernelimage import arguments_room
from bootimg.disk.zipl.signature import unsigned_length
from bootimg.errors import BootimgError

BOOTMAP = "/bootmap"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZiplRecord:
    """What zipl would be called with: the number of the BLS entry, and arguments beside those in it."""

    stage3: bytes
    sector_size: int
    entry: str
    arguments: Sequence[str]

    def install(self, image: Ext4Image, start: int) -> bytes:
        """Write /bootmap; returns the beginning of the disk's first sector.

        `start` is the partition's offset on the disk in bytes.  Errors: `boot-entry-missing`,
        `zipl-files-unusable`, and those of `bootimg.disk.ext4edit`.
        """
        partition = BootPartition(image, start, self.sector_size)
        return install_bootmap(partition, self.program(partition))

    def program(self, partition: BootPartition) -> Program:
        """What the record is to start."""
        entry = find_entry(partition.image, self.entry)
        kernel = partition.image.read([entry.kernel], FILE_LIMIT)[entry.kernel].content
        folder, _, name = entry.initramfs.rpartition("/")
        initramfs = partition.image.listing(folder or "/").get(name)
        if kernel is None or initramfs is None or not initramfs.is_file:
            raise _unusable(f"/boot{entry.kernel if kernel is None else entry.initramfs} does not exist")
        arguments = " ".join([entry.options, *self.arguments]).encode(errors="surrogateescape")
        if len(arguments) > (limit := _limit(kernel)):
            raise _unusable(f"the arguments have {len(arguments)} bytes; the kernel takes {limit}")
        return Program(
            stage3=self.stage3,
            kernel=BootFile(len(kernel), unsigned_length(kernel), partition.runs(entry.kernel)),
            initramfs=BootFile(initramfs.size, initramfs.size, partition.runs(entry.initramfs)),
            arguments=arguments,
        )


def install_bootmap(partition: BootPartition, program: Program) -> bytes:
    """Write /bootmap for a program whose files are in the partition.

    Returns the beginning of the disk's first sector.  Errors: `zipl-files-unusable`, and those of
    `bootimg.disk.ext4edit`.
    """
    image, geometry = partition.image, Geometry(partition.sector, partition.block)
    try:
        length = len(make_bootmap(program, geometry, lambda offset: offset // geometry.sector).content)
    except ValueError as error:
        raise _unusable(str(error)) from error
    # Without zeros, so that every block of the file is allocated.
    image.apply([FileEdit(BOOTMAP, b"\xff" * length, image.label(BOOTMAP) or image.label("/"))])
    made = _written(partition, program, geometry)
    if image.content(BOOTMAP) != made.content:
        raise _unusable(f"/boot{BOOTMAP} reads back different")
    return made.record


def _written(partition: BootPartition, program: Program, geometry: Geometry) -> Bootmap:
    runs = partition.runs(BOOTMAP)
    made = make_bootmap(program, geometry, locator(runs, geometry.sector))
    partition.write(runs, made.content)
    return made


def _limit(kernel: bytes) -> int:
    """Bytes of the longest command line, without the zero at its end."""
    try:
        return arguments_room(kernel) - 1
    except ValueError:
        raise _unusable("the kernel is none of s390x") from None


def _unusable(what: str) -> BootimgError:
    return BootimgError(
        "zipl-files-unusable",
        "zipl cannot start the kernel of the boot partition",
        context=[what],
        hint="check the layer's kernel, initramfs and kernel arguments; `bootimg inspect` shows the entry",
    )

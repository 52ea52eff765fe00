"""Disks of s390x with what zipl needs, small and made in a moment."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from bootimg import process
from bootimg.disk.bootpatch import BootEdits, Patch, make_patch
from bootimg.disk.extents import FileSource, copy_sparse, data_chunks
from bootimg.disk.zipl.record import ZiplRecord
from bootimg.sizes import MIB

START, LENGTH = MIB, 24 * MIB
OPTIONS = "rw ostree=/ostree/boot.1/rhcos/abc/0"
ENTRY = f"""title Stand-in
version 1
options {OPTIONS}
linux /boot/ostree/vmlinuz
initrd /boot/ostree/initramfs
"""
FIRSTBOOT = "ignition.firstboot"
PLATFORM = BootEdits(kernel_arguments=("ignition.platform.id=qemu",))


def stage3(references: tuple[int, ...] = (0x9000, 0x9048, 0xE000)) -> bytes:
    """Code that begins as zipl's third stage, with relative references to these addresses."""
    code = bytes.fromhex("0dd0 4170 0002 0707")
    for address in references:
        code += struct.pack(">BBi", 0xC0, 0x20, (address - 0xA000 - len(code)) // 2)
    return code.ljust(0x4000, b"\0")


def kernel(room: int = 4096, size: int = 200_000) -> bytes:
    """A file with the fields of a kernel of s390x, and a hole of 20 KiB."""
    content = bytearray(b"\x11" * size)
    content[0x10430:0x10438] = struct.pack(">Q", room)
    content[0x20000:0x25000] = bytes(0x5000)
    return bytes(content)


@dataclass(frozen=True)
class ZiplDisk:
    """A disk whose only partition is /boot, from START on; `folder` is for scratch files."""

    path: Path
    folder: Path
    sector: int

    def patch(self, edits: BootEdits = PLATFORM, arguments: tuple[str, ...] = (FIRSTBOOT,)) -> Patch:
        """What makes a platform's disk of it."""
        record = ZiplRecord(stage3=stage3(), sector_size=self.sector, entry="1", arguments=arguments)
        with FileSource(self.path) as source:
            return make_patch(source, START, LENGTH, edits, scratch=self.folder, record=record)

    def patched(self) -> ZiplDisk:
        """The disk of the platform."""
        copy = self.path.with_name(f"{self.path.name}-patched")
        with FileSource(self.path) as source:
            copy_sparse(source, copy)
        self.patch().apply(copy)
        return ZiplDisk(copy, self.folder, self.sector)


def make_zipl_disk(
    folder: Path, sector: int = 512, *, entry: str = ENTRY, linux: bytes | None = None
) -> ZiplDisk:
    """A disk whose initramfs is in several pieces, with entry, kernel and first sector like a real one's."""
    tree, image, disk = folder / "tree", folder / "boot.img", folder / "disk"
    (tree / "loader/entries").mkdir(parents=True)
    (tree / "loader/entries/ostree-1.conf").write_text(entry)
    (tree / "boot").symlink_to(".")
    (tree / "ostree").mkdir()
    (tree / "ostree/vmlinuz").write_bytes(kernel() if linux is None else linux)
    (tree / "ignition.firstboot").touch()
    with image.open("wb") as file:
        file.truncate(LENGTH)
    block = ["-b", str(max(1024, sector))]
    process.run(
        ["mke2fs", "-q", "-t", "ext4", *block, "-O", "metadata_csum_seed", "-L", "boot", "-d", tree, image]
    )
    _write_in_pieces(image, folder)
    with disk.open("wb") as file:
        file.truncate(START + LENGTH + MIB)
        file.seek(440)
        file.write(b"table".ljust(70, b"t") + b"\x55\xaa" + b"gpt")
    with FileSource(image) as source, disk.open("r+b") as file:
        for at, length in data_chunks(source, 0, LENGTH, MIB):
            file.seek(START + at)
            file.write(source.read(at, length))
    scratch = folder / "scratch"
    scratch.mkdir()
    return ZiplDisk(disk, scratch, sector)


def _write_in_pieces(image: Path, folder: Path) -> None:
    """Many small files fill the file system's beginning; where every other is removed, the initramfs goes."""
    (folder / "small").write_bytes(b"s" * 4096)
    (folder / "initramfs").write_bytes(bytes(range(1, 251)) * 2500)
    names = [f"filler-{number}" for number in range(160)]
    commands = [f"write {folder}/small {name}" for name in names]
    commands += [f"rm {name}" for name in names[::2]]
    commands += ["cd /ostree", f"write {folder}/initramfs initramfs"]
    process.run(["debugfs", "-w", "-f", "-", image], input="\n".join(commands).encode() + b"\n")

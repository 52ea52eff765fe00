"""What is on /boot, and GRUB's images that go before it."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg.disk.blsentry import append_options, bls_entry, remove_options, require_alike
from bootimg.disk.bootloaders.bios_grub import install_bios_grub
from bootimg.disk.bootloaders.elf32 import is_program
from bootimg.disk.bootloaders.grubmodules import with_dependencies
from bootimg.disk.bootloaders.i386pc import pc_core_image
from bootimg.disk.bootloaders.ieee1275 import core_image
from bootimg.disk.bootpatch import read_boot_files
from bootimg.disk.extents import FileSource
from bootimg.disk.inspection import console_commands
from bootimg.disk.native.products.bootupdstate import Component, read_metadata, state_json
from bootimg.disk.native.products.bootupdversions import behaviour_of
from bootimg.disk.native.products.readback import boot_entries
from bootimg.process import find
from bootimg.sizes import MIB
from bootimg.sysroot.unsupported import NativeUnsupportedError
from bootimg.untrusted.tree import Malformed
from tests.fuzz.target import refusals, target
from tests.support.arches import openfirmware, pcgrub
from tests.support.layers.bootupdfiles import METADATA

ENTRY = b"""title CoreOS 9.6
version 1
options rw ostree=/ostree/boot.1/a/b/0
linux /vmlinuz
initrd /initramfs.img
"""
CONSOLE = b"\n# CONSOLE-SETTINGS-START\nserial --speed=115200\n# CONSOLE-SETTINGS-END\n"


@target(
    lambda: [ENTRY, CONSOLE, ENTRY.replace(b" ", b"\t")],
    words=("options ", "initrd ", "# CONSOLE-SETTINGS-START\n", "# CONSOLE-SETTINGS-END\n", "\r\n", "\x0b"),
)
def boot_texts(data: bytes, folder: Path) -> None:
    """A BLS entry and a console.cfg: arguments that are appended come off again."""
    text = data.decode(errors="replace")
    bls_entry(text)
    console_commands(text)
    with refusals():
        require_alike("fuzz.conf", text)
    with refusals():
        found = bls_entry(remove_options(append_options(text, ("a=b", "c")), ("a=b", "c")))
        assert found["options"] == bls_entry(text)["options"]


@target(lambda: [METADATA, METADATA.replace(b"null", b'"Grub"')], words=('"versions":null', "Z", ".123Z"))
def bootupd_metadata(data: bytes, folder: Path) -> None:
    """The update metadata of a layer's bootupd: the state file has the same."""
    newest = behaviour_of("0.3.2")
    assert newest is not None
    with suppress(Malformed):
        found = read_metadata(data)
        state = json.loads(state_json(newest, {"EFI": Component(found, {})}, None))
        assert read_metadata(json.dumps(state["installed"]["EFI"]["meta"]).encode()) == found


@cache
def ext4_partition() -> bytes:
    """An ext4 filesystem with a BLS entry and a console.cfg on it."""
    with TemporaryDirectory() as folder:
        tree, image = Path(folder) / "tree", Path(folder) / "image"
        for name, content in (("loader/entries/a.conf", ENTRY), ("grub2/console.cfg", CONSOLE)):
            (tree / name).parent.mkdir(parents=True)
            (tree / name).write_bytes(content)
        image.touch()
        os.truncate(image, MIB)
        options = ["-O", "^has_journal,^resize_inode", "-b", "1024", "-N", "16", "-d", str(tree)]
        subprocess.run(["mke2fs", "-q", "-t", "ext4", *options, image], check=True, capture_output=True)
        return image.read_bytes()


def _edits() -> Iterator[bytes]:
    """Pairs of offset and bytes, to be written over the filesystem."""
    image = ext4_partition() if find("mke2fs") else ENTRY
    yield struct.pack(">IB", image.index(ENTRY), 5) + b"titel"
    yield struct.pack(">IB", 1024 + 0x38, 1) + b"\x53"


def _changed(data: bytes) -> bytes:
    """The filesystem with the edits in `data`."""
    image, at = bytearray(ext4_partition()), 0
    while at + 5 < len(data):
        offset, length = struct.unpack_from(">IB", data, at)
        piece = data[at + 5 : at + 5 + length]
        start = offset % (len(image) - len(piece))
        image[start : start + len(piece)] = piece
        at += 5 + length
    return bytes(image)


@target(_edits, runs=12, longest=64)
def boot_partition(data: bytes, folder: Path) -> None:
    """A filesystem with some bytes changed; debugfs is what reads it."""
    if not (find("mke2fs") and find("debugfs")):
        return
    path = folder / "partition"
    path.write_bytes(_changed(data))
    with refusals(), FileSource(path) as source:
        read_boot_files(source, 0, source.size, scratch=folder)


@target(_edits, runs=12, longest=64)
def bootloader_partition(data: bytes, folder: Path) -> None:
    """The same as what the layer's bootupd left: its files are read, or the appliance makes the disk."""
    if not (find("mke2fs") and find("debugfs")):
        return
    path = folder / "disk"
    path.write_bytes(_changed(data))
    with refusals(), suppress(NativeUnsupportedError):
        for entry in boot_entries(path, 0, MIB, scratch=folder):
            assert len(entry.content) == entry.size if isinstance(entry.content, bytes) else False


@target(lambda: [bytes(510) + b"\x55\xaa" + bytes(510) + b"\x20\x08" + b"core" * 256], runs=800)
def bios_grub(data: bytes, folder: Path) -> None:
    """GRUB's boot sector and core image, on their way to the disk."""
    disk = folder / "disk"
    disk.write_bytes(bytes(16384))
    with refusals():
        install_bios_grub(disk, boot_image=data[:512], core_image=data[512:], start=4096, length=8192)


@target(lambda: [openfirmware.kernel_image(), b"a: b\nb: a\n"], words=("\x7fELF\x01\x02\x01", ": "))
def open_firmware_images(data: bytes, folder: Path) -> None:
    """GRUB's kernel for PowerPC, and the list of its modules' needs."""
    is_program(data)
    with refusals():
        core_image(data, [data], config=data, prefix="(,gpt3)/grub2")
    with refusals():
        with_dependencies(["a", "b"], data.decode(errors="replace"))


@target(lambda: [pcgrub.kernel_image(), pcgrub.DISKBOOT, pcgrub.DECOMPRESSOR], words=("\x7fELF\x01\x01\x01",))
def bios_images(data: bytes, folder: Path) -> None:
    """Each of the images that GRUB's core image for the BIOS is made of."""
    for name in ("kernel.img", "diskboot.img", "lzma_decompress.img"):
        with refusals():
            pc_core_image({**pcgrub.FILES, name: data}, [data], config=data, prefix="(,gpt3)/grub2")

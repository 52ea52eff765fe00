"""The disks of platforms as raw files, read by other programs than those that wrote them."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from bootimg.platform import Platform
from tests.integration.builds.test_disk import output

MIB = 1 << 20
FORMATS = {"qcow2": "qcow2", "vmdk": "vmdk", "vpc": "vpc", "vhdx": "vhdx"}


def convert(kind: str, source: Path, folder: Path) -> Path:
    target = folder / "disk.raw"
    output("qemu-img", "convert", "-f", kind, "-O", "raw", source, target)
    return target


def of_tar(source: Path, folder: Path) -> Path:
    output("tar", "--extract", "--gzip", "--sparse", "--file", source, "--directory", folder)
    assert [path.name for path in folder.iterdir()] == ["disk.raw"]
    return folder / "disk.raw"


def of_ova(source: Path, folder: Path) -> Path:
    with tarfile.open(source) as archive:
        names = archive.getnames()
    output("tar", "--extract", "--file", source, "--directory", folder)
    if names == ["coreos.ovf", "disk.vmdk"]:
        return convert("vmdk", folder / "disk.vmdk", folder)
    [description, settings, disk] = names
    assert (description[-4:], settings[-5:], disk[-9:]) == (".ovf", ".meta", "-disk.raw")
    return folder / disk


def of_container(source: Path, folder: Path) -> Path:
    output("skopeo", "copy", "--quiet", f"oci-archive:{source}", f"dir:{folder}/image")
    manifest = json.loads((folder / "image/manifest.json").read_bytes())
    [layer] = manifest["layers"]
    blob = folder / "image" / layer["digest"].removeprefix("sha256:")
    output("tar", "--extract", "--gzip", "--file", blob, "--directory", folder)
    [disk] = (folder / "disk").iterdir()
    assert "-kubevirt." in disk.name
    return convert("qcow2", disk, folder)


PACKED: dict[str, Callable[[Path, Path], Path]] = {
    "tar.gz": of_tar,
    "ova": of_ova,
    "ociarchive": of_container,
}


def raw_of(platform: Platform, artifact: Path, folder: Path) -> Path:
    """The artifact's disk as a raw file."""
    if platform.packaging != "none":
        return PACKED[platform.packaging](artifact, folder)
    if platform.disk_format == "raw":
        return artifact
    return convert(FORMATS[platform.disk_format], artifact, folder)


@dataclass(frozen=True)
class Table:
    """Offset and length in bytes of each partition, by its number."""

    spans: dict[int, tuple[int, int]]

    @classmethod
    def of(cls, disk: Path, sector: int) -> Table:
        listed = output("fdisk", "-b", str(sector), "-l", "-o", "Device,Start,Sectors", disk).splitlines()
        rows = [line.split() for line in listed if line.startswith(str(disk))]
        return cls({int(r[0][-1]): (int(r[1]) * sector, int(r[2]) * sector) for r in rows})


def data(path: Path) -> Iterator[tuple[int, bytes]]:
    """What is in a file besides holes and zeros, MiB by MiB."""
    size = path.stat().st_size
    with path.open("rb") as file:
        position = 0
        while position < size:
            try:
                position = os.lseek(file.fileno(), position, os.SEEK_DATA) // MIB * MIB
            except OSError:
                return
            file.seek(position)
            block = file.read(MIB)
            if block.strip(b"\0"):
                yield position, block.ljust(MIB, b"\0")
            position += MIB


def digests(path: Path, table: Table) -> dict[str, str]:
    """A digest of each partition's content and of all that is outside of any."""
    found = {"outside": sha256(), **{str(number): sha256() for number in table.spans}}
    for offset, block in data(path):
        name = next(
            (str(n) for n, (start, size) in table.spans.items() if start <= offset < start + size), None
        )
        found[name or "outside"].update(offset.to_bytes(8, "big") + block)
    return {name: digest.hexdigest() for name, digest in found.items()}


def boot_files(raw: Path, table: Table, folder: Path) -> tuple[str, str]:
    """The options of the boot loader entry, and console.cfg, after e2fsck found nothing to say."""
    start, size = table.spans[3]
    image = folder / "boot.img"
    output("dd", f"if={raw}", f"of={image}", f"bs={MIB}", f"skip={start // MIB}", f"count={size // MIB}",
           "conv=sparse", "status=none")  # fmt: skip
    output("e2fsck", "-fn", image)
    listed = output("debugfs", "-R", "ls -p /loader/entries", image)
    [entry] = [line.split("/")[5] for line in listed.splitlines() if line.endswith("/") and ".conf" in line]
    text = output("debugfs", "-R", f"cat /loader/entries/{entry}", image)
    [options] = [line for line in text.splitlines() if line.startswith("options ")]
    return options, output("debugfs", "-R", "cat /grub2/console.cfg", image)

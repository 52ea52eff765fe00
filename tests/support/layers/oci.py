"""Small OCI images made by hand: layers from lists of members, directories and archives from layers."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import struct
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import zstandard

from tests.support.arches import pcgrub

OCI = "application/vnd.oci.image."
LABELS = {
    "containers.bootc": "1",
    "ostree.bootable": "1",
    "org.opencontainers.image.version": "9.6.20261101-0",
    "com.coreos.osname": "rhcos",
    "com.coreos.stream": "rhel-9.6",
}
KERNEL = "6.12.0-1.el9.x86_64"
GRUB_MODULES = "usr/lib/grub/i386-pc"
EFI_PAYLOAD = "usr/lib/efi/grub2/2.12/EFI"
BOOTLOADER = {
    **{f"{GRUB_MODULES}/{name}": data for name, data in pcgrub.FILES.items()},
    f"{EFI_PAYLOAD}/BOOT/BOOTX64.EFI": b"MZ1",
    f"{EFI_PAYLOAD}/redhat/grubx64.efi": b"MZ2",
}
"""The files that a layer without bootupd must have for its bootloaders."""
Member = tuple[tarfile.TarInfo, bytes]


def member(path: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", **fields: Any) -> Member:  # noqa: ANN401
    info = tarfile.TarInfo(path)
    info.type, info.size, info.mtime = kind, len(data), 1_700_000_000
    xattrs = fields.pop("xattrs", {})
    info.pax_headers = {
        f"SCHILY.xattr.{name}": value.decode("utf-8", "surrogateescape") for name, value in xattrs.items()
    }
    for name, value in fields.items():
        setattr(info, name, value)
    return info, data


def file(path: str, data: bytes = b"", mode: int = 0o644, **fields: Any) -> Member:  # noqa: ANN401
    return member(path, data=data, mode=mode, **fields)


def folder(path: str, mode: int = 0o755, **fields: Any) -> Member:  # noqa: ANN401
    return member(path, tarfile.DIRTYPE, mode=mode, **fields)


def symlink(path: str, target: str, **fields: Any) -> Member:  # noqa: ANN401
    return member(path, tarfile.SYMTYPE, linkname=target, mode=0o777, **fields)


def hardlink(path: str, target: str, **fields: Any) -> Member:  # noqa: ANN401
    return member(path, tarfile.LNKTYPE, linkname=target, **fields)


def tar(*members: Member, format: int = tarfile.PAX_FORMAT) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=format) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return output.getvalue()


def bootable(
    *more: Member,
    image_json: bytes = b'{"size": 4}',
    kernels: Sequence[str] = (KERNEL,),
    bootloader: bool = True,
) -> bytes:
    """A layer with all that a bootable image must have."""
    members = [
        folder("etc"),
        folder("usr/lib"),
        file("usr/lib/os-release", b'NAME="Stand-in"\nVERSION_ID="9.6"\nVARIANT_ID=coreos\n'),
        symlink("etc/os-release", "../usr/lib/os-release"),
        file("usr/share/coreos-assembler/image.json", image_json),
        folder("sysroot"),
        folder("var"),
    ]
    if bootloader:
        members += [file(path, data) for path, data in BOOTLOADER.items()]
    for kernel in kernels:
        members += [
            file(f"usr/lib/modules/{kernel}/vmlinuz", b"kernel"),
            file(f"usr/lib/modules/{kernel}/initramfs.img", b"initramfs"),
        ]
    return tar(*members, *more)


def with_bootupd() -> list[Member]:
    """What makes the bootloader of a layer for x86_64 the one of bootupd; nothing in it can run."""
    updates = [f"usr/lib/bootupd/updates/{name}.json" for name in ("BIOS", "EFI")]
    return [file(path) for path in ("usr/bin/bootupctl", "usr/sbin/grub2-install", *updates)]


def for_bootc(*without: str) -> list[Member]:
    """What an installation by bootc needs of a layer, but for the names in `without`."""
    programs = [name for name in ("bootc", "podman", "skopeo", "bootupctl", "unshare") if name not in without]
    config = [] if "prepare-root.conf" in without else [file("usr/lib/ostree/prepare-root.conf")]
    return [*(file(f"usr/bin/{name}", b"", 0o755) for name in programs), *config]


def compress(data: bytes, how: str) -> bytes:
    if how == "gzip":
        return gzip.compress(data, mtime=0)
    if how in ("bzip2", "xz"):
        return bz2.compress(data) if how == "bzip2" else lzma.compress(data)
    if how == "zstd with a skippable frame":
        return struct.pack("<II", 0x184D2A53, 5) + b"hello" + compress(data, "zstd")
    return zstandard.ZstdCompressor().compress(data) if how == "zstd" else data


class Layout:
    """An OCI directory that grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.blobs = path / "blobs" / "sha256"
        self.blobs.mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self._manifests: list[dict[str, Any]] = []
        self._write_index()

    def blob(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        (self.blobs / name).write_bytes(data)
        return f"sha256:{name}"

    def add(
        self,
        layers: Sequence[bytes],
        *,
        labels: Mapping[str, str] = LABELS,
        arch: str = "amd64",
        tag: str | None = None,
        compression: Sequence[str] = (),
        config: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Add an image to index.json; returns its descriptor."""
        descriptor = self.image(layers, labels=labels, arch=arch, compression=compression, config=config)
        if tag:
            descriptor["annotations"] = {"org.opencontainers.image.ref.name": tag}
        return self.list(descriptor)

    def list(self, descriptor: dict[str, Any]) -> dict[str, Any]:
        self._manifests.append(descriptor)
        self._write_index()
        return descriptor

    def image(
        self,
        layers: Sequence[bytes],
        *,
        labels: Mapping[str, str] = LABELS,
        arch: str = "amd64",
        compression: Sequence[str] = (),
        config: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        hows = [*compression, *["gzip"] * len(layers)]
        blobs = [compress(data, how) for data, how in zip(layers, hows, strict=False)]
        document = {
            "architecture": arch,
            "os": "linux",
            "created": "2026-11-01T00:00:00.123456789Z",
            "config": {"Labels": dict(labels), **(config or {})},
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(data).hexdigest()}" for data in layers],
            },
        }
        settings = json.dumps(document).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI + "manifest.v1+json",
            "config": descriptor(OCI + "config.v1+json", self.blob(settings), settings),
            "layers": [
                descriptor(
                    OCI + "layer.v1.tar" + ("" if how == "plain" else f"+{how}"), self.blob(blob), blob
                )
                for blob, how in zip(blobs, hows, strict=False)
            ],
        }
        data = json.dumps(manifest).encode()
        return descriptor(OCI + "manifest.v1+json", self.blob(data), data)

    def index(self, images: Mapping[str, dict[str, Any]], tag: str | None = None) -> dict[str, Any]:
        """Add a manifest list of images by architecture."""
        manifests = [
            {**image, "platform": {"architecture": arch, "os": "linux"}} for arch, image in images.items()
        ]
        document = {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": manifests}
        data = json.dumps(document).encode()
        found = descriptor(OCI + "index.v1+json", self.blob(data), data)
        if tag:
            found["annotations"] = {"org.opencontainers.image.ref.name": tag}
        return self.list(found)

    def archive(self, path: Path) -> Path:
        """The same as an OCI archive."""
        with tarfile.open(path, "w") as output:
            for name in ("oci-layout", "index.json", "blobs"):
                output.add(self.path / name, name)
        return path

    def _write_index(self) -> None:
        document = {"schemaVersion": 2, "manifests": self._manifests}
        (self.path / "index.json").write_text(json.dumps(document))


def descriptor(media_type: str, digest: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"

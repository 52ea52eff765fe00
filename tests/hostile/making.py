"""Tars and images with very many members, made quickly."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import zstandard

from tests.support.layers import oci

END = bytes(1024)
_KIB = 1024
RLE = 128 * _KIB
"""The most bytes of one block of zstd that repeats a byte."""


def header(name: str, kind: bytes = b"0", size: int = 0, link: str = "") -> bytes:
    """A header of ustar; a longer name or target is GNU's."""
    raw, target = name.encode(), link.encode()
    before = _long(b"L", raw) + _long(b"K", target)
    head = b"%s0000644\0000000000\0000000000\0%011o\00000000000000\0" % (raw[:99].ljust(100, b"\0"), size)
    rest = kind + target[:99].ljust(100, b"\0") + b"ustar  \0"
    total = sum(head) + sum(rest) + 8 * 32
    return before + (head + b"%06o\0 " % total + rest).ljust(512, b"\0")


def _long(kind: bytes, text: bytes) -> bytes:
    if len(text) < 100:
        return b""
    head = b"%s0000000\0000000000\0000000000\0%011o\00000000000000\0" % (
        b"././@LongLink".ljust(100, b"\0"), len(text) + 1,
    )  # fmt: skip
    rest = kind + bytes(100) + b"ustar  \0"
    total = sum(head) + sum(rest) + 8 * 32
    block = (head + b"%06o\0 " % total + rest).ljust(512, b"\0")
    return block + padded(text + b"\0")


def padded(data: bytes) -> bytes:
    """The data, up to the next block of a tar."""
    return data + bytes(-len(data) % 512)


def tar(members: Iterable[bytes]) -> bytes:
    """A tar of members."""
    return b"".join(members) + END


def image(folder: Path, *layers: bytes, packed: bool = True) -> oci.Layout:
    """The OCI directory `image` of a bootable layer and these."""
    layout = oci.Layout(folder / "image")
    how = "zstd" if packed else "plain"
    layout.add([oci.bootable(), *layers], compression=[how] * (len(layers) + 1))
    return layout


def zeros_in_zstd(size: int, after: bytes = b"") -> bytes:
    """A frame of zstd (RFC 8878) of some bytes and `size` zeros: blocks that repeat a byte, 4 bytes each."""
    blocks, rest = divmod(size, RLE)
    assert not rest
    # Magic, a descriptor without content size, a window of 8 MiB.
    start = b"\x28\xb5\x2f\xfd\x00\x68"
    if after:
        start += (len(after) << 3).to_bytes(3, "little") + after
    return start + _rle(last=False) * (blocks - 1) + _rle(last=True)


def _rle(*, last: bool) -> bytes:
    return ((RLE << 3) | (1 << 1) | last).to_bytes(3, "little") + b"\0"


def squeeze(pieces: Sequence[bytes]) -> bytes:
    """Frames of zstd, one for each piece."""
    compressor = zstandard.ZstdCompressor(level=1)
    return b"".join(map(compressor.compress, pieces))


def image_of_blobs(folder: Path, blobs: Iterable[tuple[bytes, str]]) -> oci.Layout:
    """The OCI directory `image` of a bootable layer and of blobs with the digests of their content."""
    layout = oci.Layout(folder / "image")
    plain = oci.bootable()
    found = [(plain, oci.digest(plain)), *blobs]
    settings = json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Labels": oci.LABELS},
        "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in found]},
    }).encode()  # fmt: skip
    manifest = json.dumps({
        "schemaVersion": 2,
        "config": oci.descriptor(oci.OCI + "config.v1+json", layout.blob(settings), settings),
        "layers": [oci.descriptor(oci.OCI + "layer.v1.tar", layout.blob(blob), blob) for blob, _ in found],
    }).encode()  # fmt: skip
    layout.list(oci.descriptor(oci.OCI + "manifest.v1+json", layout.blob(manifest), manifest))
    return layout

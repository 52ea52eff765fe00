"""Layers that hold much text, or many names, for few bytes."""

from __future__ import annotations

from pathlib import Path

from bootimg.sizes import MIB
from tests.hostile.case import ACCEPTED, case
from tests.hostile.making import header, image, image_of_blobs, padded, squeeze, tar, zeros_in_zstd
from tests.hostile.reading import image as read
from tests.support.layers import oci

OVER = "image-over-budget"
ANY = "sha256:" + "0" * 64


def records(count: int, value: int) -> bytes:
    """A pax header for all files with extended attributes."""
    records = []
    for number in range(count):
        rest = b" SCHILY.xattr.user.%05d=%s\n" % (number, b"v" * value)
        records.append(b"%d%s" % (len(rest) + len(str(len(rest) + 3)), rest))
    body = b"".join(records)
    return header("pax", b"g", len(body)) + padded(body)


@case(read, f"{OVER}/metadata", quick=True)
def shared_attributes(folder: Path) -> None:
    """one pax header of 1000 attributes for 50 000 files"""
    image(folder, tar([records(1000, 20), *(header(f"f{each}") for each in range(50_000))]))


@case(read, f"{OVER}/metadata", quick=True)
def implied_directories(folder: Path) -> None:
    """a path of 255 new directories, 4 KB long, a thousand times"""
    names = "/".join(["d" * 15] * 254)
    image(folder, tar(header(f"{each:03}/{names}") for each in range(1000)))


@case(read, f"{OVER}/metadata")
def short_implied_directories(folder: Path) -> None:
    """a path of 255 new directories, 512 bytes long, a thousand times"""
    image(folder, tar(header(f"{each:03}/" + "/".join("d" * 254)) for each in range(1000)))


@case(read, "layer-path-unsafe", quick=True)
def long_targets(folder: Path) -> None:
    """a thousand symlinks with targets of a megabyte"""
    link = header("link", b"2", link="t/" * (MIB // 2 - 1))
    image(folder, tar([link] * 1000))


@case(read, f"{OVER}/metadata")
def long_paths(folder: Path) -> None:
    """180 000 paths of 4 KB"""
    names = "/".join(["d" * 200] * 19)
    image(folder, tar(header(f"{names}/{each:0200}") for each in range(180_000)))


@case(read, ACCEPTED, seconds=60, memory=750)
def million_names(folder: Path) -> None:
    """a million empty files in a thousand directories"""
    image(folder, tar(header(f"usr/{each // 1000}/{each % 1000}") for each in range(1_000_000)))


@case(read, f"{OVER}/names", seconds=60)
def many_layers(folder: Path) -> None:
    """400 layers of 3000 files, each far below every limit"""
    layers = (tar(header(f"{layer}/{each}") for each in range(3000)) for layer in range(400))
    image(folder, *layers)


@case(read, f"{OVER}/layers", quick=True)
def very_many_layers(folder: Path) -> None:
    """10 000 layers that are one empty tar"""
    image_of_blobs(folder, [(bytes(1024), oci.digest(bytes(1024)))] * 10_000)


@case(read, f"{OVER}/names", seconds=60)
def one_layer_often(folder: Path) -> None:
    """the same layer of 20 000 files 400 times"""
    layer = tar(header(f"d/{each}") for each in range(20_000))
    image_of_blobs(folder, [(squeeze([layer]), oci.digest(layer))] * 400)


@case(read, f"{OVER}/ratio")
def zstd_bomb(folder: Path) -> None:
    """20 GiB of zeros in 640 KiB of zstd"""
    image_of_blobs(folder, [(zeros_in_zstd(20 << 30), ANY)])


@case(read, f"{OVER}/ratio")
def many_zstd_bombs(folder: Path) -> None:
    """6 layers of one file of 300 MiB of zeros each, 10 KB packed"""
    blobs = []
    for each in range(6):
        start = header(f"zeros{each}", size=300 * MIB)
        blobs.append((squeeze([start]) + zeros_in_zstd(300 * MIB), _digest_of_zeros(start, 300 * MIB)))
    image_of_blobs(folder, blobs)


def _digest_of_zeros(start: bytes, size: int) -> str:
    import hashlib

    check = hashlib.sha256(start)
    for _ in range(size // MIB):
        check.update(bytes(MIB))
    return f"sha256:{check.hexdigest()}"


@case(read, "layer-truncated")
def headers_alone(folder: Path) -> None:
    """900 pax headers of 1000 records and a megabyte each, and no file"""
    record = b"1000 comment=" + b"v" * 986 + b"\n"
    one = header("pax", b"x", 1000 * 1000) + padded(record * 1000)
    start = header("end", b"x", 1 << 19)
    image_of_blobs(folder, [_of_frames([*[one] * 900, start])])


def _of_frames(pieces: list[bytes]) -> tuple[bytes, str]:
    import hashlib

    check = hashlib.sha256()
    for piece in pieces:
        check.update(piece)
    return squeeze(pieces), f"sha256:{check.hexdigest()}"


@case(read, ACCEPTED)
def empty_members(folder: Path) -> None:
    """a layer in a million empty members of gzip"""
    import gzip

    layer = tar([header("f")])
    image_of_blobs(
        folder, [(gzip.compress(b"", mtime=0) * 1_000_000 + gzip.compress(layer), oci.digest(layer))]
    )

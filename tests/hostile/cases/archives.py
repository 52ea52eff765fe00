"""What an image is read from: documents, archives, folders."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.hostile.case import case
from tests.hostile.making import END, header, image, tar, zeros_in_zstd
from tests.hostile.reading import archive, build
from tests.hostile.reading import image as read
from tests.support.layers import oci

OVER = "image-over-budget"


@case(read, "layer-malformed", quick=True)
def sparse_index(folder: Path) -> None:
    """an index.json of 3 GiB that is a hole"""
    os.truncate(image(folder).path / "index.json", 3 << 30)


@case(read, "layer-malformed")
def lists_in_index(folder: Path) -> None:
    """an index.json of 4 MB that is a million empty lists"""
    (image(folder).path / "index.json").write_text(json.dumps({"manifests": [[]] * 1_000_000}))


@case(archive, f"{OVER}/members", quick=True)
def members_of_an_archive(folder: Path) -> None:
    """an archive of 60 000 members"""
    (folder / "archive").write_bytes(tar(header(f"blobs/{each}") for each in range(60_000)))


@case(archive, f"{OVER}/members")
def millions_of_members(folder: Path) -> None:
    """an archive of two million members"""
    block = b"".join(header(f"blobs/sha256/{each}") for each in range(2000))
    with (folder / "archive").open("wb") as file:
        for _ in range(1000):
            file.write(block)
        file.write(END)


@case(archive, f"{OVER}/ratio")
def packed_archive(folder: Path) -> None:
    """an archive of 20 GiB of zeros after its first member, packed to 640 KiB"""
    import zstandard

    start = zstandard.ZstdCompressor().compress(header("oci-layout", size=7 << 30))
    (folder / "archive").write_bytes(start + zeros_in_zstd(20 << 30))


@case(read, "file-not-regular", quick=True)
def pipe_for_index(folder: Path) -> None:
    """a named pipe in the place of index.json"""
    _pipe(image(folder).path / "index.json")


@case(read, "file-not-regular")
def pipe_for_blob(folder: Path) -> None:
    """a named pipe in the place of a layer's blob"""
    layout = image(folder)
    _pipe(max(layout.blobs.iterdir(), key=lambda path: path.stat().st_size))


@case(build, "file-not-regular", quick=True)
def pipe_for_builds(folder: Path) -> None:
    """a named pipe in the place of a tree's builds.json"""
    (folder / "builds").mkdir()
    _pipe(folder / "builds/builds.json")


def _pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


@case(read, f"{OVER}/unpacked")
def blob_of_a_hole(folder: Path) -> None:
    """a blob of 200 GiB that is a hole"""
    layout = image(folder)
    size, digest = 200 << 30, "ab" * 32
    with (layout.blobs / digest).open("wb") as file:
        file.truncate(size)
    _replace_layer(layout, digest, size)


def _replace_layer(layout: oci.Layout, digest: str, size: int) -> None:
    index = json.loads((layout.path / "index.json").read_text())
    old = index["manifests"][0]["digest"].partition(":")[2]
    manifest = json.loads((layout.blobs / old).read_text())
    manifest["layers"][0] |= {"digest": f"sha256:{digest}", "size": size}
    data = json.dumps(manifest).encode()
    index["manifests"][0] |= {"digest": layout.blob(data), "size": len(data)}
    (layout.path / "index.json").write_text(json.dumps(index))

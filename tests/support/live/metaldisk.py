"""A small metal disk with a repository in its root file system."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from bootimg.disk.filetree import Node
from bootimg.disk.gpt import Gpt, Partition, write_gpt
from bootimg.disk.xfs import fill_xfs
from bootimg.disk.xfs.sparse import copy_data
from bootimg.sizes import MIB
from tests.support.xfs.xfsimages import NOW, SMALL, empty_image
from tests.support.xfs.xfstrees import ROOT, file, folder

BOOT, ROOT_AT = 2 * MIB, 10 * MIB
"""Where /boot and the root partition begin, in bytes."""
_SIZE = ROOT_AT + SMALL + 2 * MIB
_DATA = UUID("0FC63DAF-8483-4772-8E79-3D69D8477DE4")


def checksum(content: bytes) -> str:
    """A name for an object: not OSTree's, which also depends on its owner and mode."""
    return sha256(b"object" + content).hexdigest()


def repository(objects: Iterable[bytes]) -> Iterable[Node]:
    """A repository with objects of these contents."""
    yield ROOT
    yield from (folder(path) for path in (b"ostree", b"ostree/repo", b"ostree/repo/objects"))
    names = {checksum(content): content for content in objects}
    for prefix in sorted({name[:2] for name in names}):
        yield folder(b"ostree/repo/objects/" + prefix.encode())
    for name, content in names.items():
        yield file(f"ostree/repo/objects/{name[:2]}/{name[2:]}.file".encode(), content)


def metal_disk(
    path: Path, nodes: Iterable[Node], boot: Mapping[int, bytes] | None = None, *, sector: int = 512
) -> Path:
    """A disk with the nodes in its root partition, and bytes at offsets of its boot partition."""
    write_gpt(path, _table(sector))
    image = empty_image(path.with_suffix(".root"), sector=sector)
    fill_xfs(image, nodes, now=NOW)
    with image.open("rb") as source, path.open("r+b") as disk:
        copy_data(source.fileno(), disk.fileno(), (0, SMALL), ROOT_AT)
        for offset, data in (boot or {}).items():
            disk.seek(BOOT + offset)
            disk.write(data)
    image.unlink()
    return path


def _table(sector: int) -> Gpt:
    def part(number: int, name: str, start: int, size: int) -> Partition:
        return Partition(number, name, _DATA, UUID(int=number), start // sector, size // sector)

    parts = part(3, "boot", BOOT, ROOT_AT - BOOT), part(4, "root", ROOT_AT, SMALL)
    return Gpt(UUID(int=9), _SIZE // sector, parts, sector)

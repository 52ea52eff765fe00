"""Layers whose members make each other be looked at again and again."""

from __future__ import annotations

from pathlib import Path

from tests.hostile.case import ACCEPTED, case
from tests.hostile.making import header, image, tar
from tests.hostile.reading import image as read
from tests.support.layers import oci

OVER = "image-over-budget"
MANY = 10_000


@case(read, ACCEPTED, quick=True)
def opaque_whiteouts(folder: Path) -> None:
    """10 000 opaque whiteouts over 10 000 files of their own layer"""
    image(folder, tar([*(header(f"d/{each}") for each in range(MANY)), *[header("d/.wh..wh..opq")] * MANY]))


@case(read, ACCEPTED)
def whiteouts_of_a_directory(folder: Path) -> None:
    """10 000 whiteouts of a directory that has 10 000 files of their layer"""
    image(folder, tar([*(header(f"d/{each}") for each in range(MANY)), *[header(".wh.d")] * MANY]))


def _chain(links: int) -> list[bytes]:
    """Symlinks that lead to the directory `end`, each with a target of 4 KB; the first is `l0`."""
    dots = "./" * 2000
    chain = [header(f"l{each}", b"2", link=f"{dots}l{each + 1}") for each in range(links)]
    return [header("end", b"5"), *chain, header(f"l{links}", b"2", link="end")]


@case(read, ACCEPTED)
def files_behind_links(folder: Path) -> None:
    """50 000 files behind a chain of 39 symlinks with targets of 4 KB"""
    image(folder, tar([*_chain(38), *(header(f"l0/{each}") for each in range(50_000))]))


@case(read, f"{OVER}/link-steps", quick=True)
def links_that_change(folder: Path) -> None:
    """the same, where a symlink is replaced before each file"""
    change = header("end/x", b"2", link="y")
    files = (header(f"l0/{each}") + change for each in range(5000))
    image(folder, tar([*_chain(38), *files]))


@case(read, f"{OVER}/link-steps")
def whiteouts_behind_links(folder: Path) -> None:
    """10 000 whiteouts behind a chain of symlinks that leads nowhere"""
    chain = [each for each in _chain(38) if not each.startswith(b"end")]
    image(folder, tar([*chain, *(header(f"l0/{each}/.wh.x") for each in range(MANY))]))


@case(read, f"{OVER}/metadata")
def links_to_attributes(folder: Path) -> None:
    """300 000 hard links to a file with attributes of 60 KB"""
    attributes = {f"user.{each}": b"v" * 60_000 for each in range(10)}
    first = oci.tar(oci.file("f", xattrs=attributes)).rstrip(b"\0")
    first += bytes(-len(first) % 512)
    image(folder, first + tar(header(f"h{each}", b"1", link="f") for each in range(300_000)))


@case(read, f"{OVER}/link-steps")
def many_settings(folder: Path) -> None:
    """200 000 files of kernel arguments"""
    text = oci.file("x", b"kargs = []\n")[1].ljust(512, b"\0")
    files = (header(f"usr/lib/bootc/kargs.d/{each:06}.toml", size=11) + text for each in range(200_000))
    image(folder, tar(files))


@case(read, "layer-file-too-large")
def large_settings(folder: Path) -> None:
    """an os-release of 60 MB of empty lines"""
    size = 60 << 20
    image(folder, tar([header("usr/lib/os-release", size=size), b"\n" * size]))

"""Paths with blanks, commas, colons and signs that programs take for their own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.bootpatch import read_boot_files
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import read_gpt
from bootimg.disk.inspection import inspect_disk
from bootimg.disk.kargsoverlay import overlay_with_kargs
from bootimg.events import Events
from bootimg.layer.fetching.fetch import fetch, inspect
from bootimg.layer.fetching.imagecopy import copy_archive
from bootimg.layer.fetching.skopeo import RegistryOptions
from tests.support.disks import whole_disk
from tests.support.layers import oci
from tests.support.registry import serving_registry
from tests.unit.cli.test_inspect import make_disk, needs_tools

ODD = "a b,c=d:e?%f'g"
needs_skopeo = pytest.mark.skipif(not process.find("skopeo"), reason="needs skopeo")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / ODD
    folder.mkdir()
    return folder


@needs_skopeo
def test_an_image_of_a_registry(place: Path) -> None:
    layout, registry = oci.Layout(place.with_name("layout")), RegistryOptions(tls_verify=False)
    made = layout.add([oci.bootable()])
    with serving_registry(place.parent) as address:
        to = ["--dest-tls-verify=false", f"docker://{address}/test/os:v1"]
        subprocess.run(["skopeo", "copy", "-q", "--preserve-digests", f"oci:{layout.path}", *to], check=True)
        both = f"{address}/test/os:other@{made['digest']}"
        assert inspect(both, Arch.X86_64, registry).digest == made["digest"]
        cache = Cache(place / "cache")
        image = fetch(both, arch=Arch.X86_64, cache=cache, events=Events(), registry=registry)
    assert (image.digest, image.reference) == (made["digest"], f"docker://{address}/test/os@{made['digest']}")
    assert (cache.root / "blobs/sha256" / image.layers[0].digest[7:]).is_file()


@pytest.mark.parametrize("tag", ["", ":x"])
def test_a_local_image(place: Path, tag: str) -> None:
    layout = oci.Layout(place / "layout")
    made = layout.add([oci.bootable()], tag="x")
    archive = layout.archive(place / "archive")
    for reference in (layout.path, archive, f"oci:{layout.path}", f"oci-archive:{archive}"):
        assert inspect(f"{reference}{tag}", Arch.X86_64).digest == made["digest"]
        again = inspect(inspect(f"{reference}{tag}", Arch.X86_64).reference, Arch.X86_64)
        assert again.digest == made["digest"]


@needs_skopeo
@pytest.mark.parametrize("kind", ["oci", "oci-archive"])
def test_the_copy_of_an_image(kind: str, place: Path) -> None:
    layout = oci.Layout(place / "layout")
    made = layout.add([oci.bootable()], tag="x")
    path = layout.path if kind == "oci" else layout.archive(place / "archive")
    cache, out = Cache(place / "cache"), place / "out:1.ociarchive"
    found = copy_archive(str(path), Arch.X86_64, out, cache, RegistryOptions())
    assert found.digest == made["digest"]
    assert sorted(each.name for each in place.iterdir()) == sorted({"layout", path.name, "cache", out.name})


@needs_tools
@pytest.mark.parametrize("name", [ODD, "a\nTYPE=x"])
def test_a_disk_is_told_what_it_is(tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    place.mkdir()
    disk = make_disk(tmp_path).rename(place / "disk.raw")
    kinds = [each["filesystem"] and each["filesystem"]["type"] for each in
             inspect_disk(disk, "raw", place)["partitions"]]  # fmt: skip
    assert kinds == [None, "vfat", "ext4", "xfs"]


@needs_tools
@pytest.mark.skipif(not process.find("qemu-io"), reason="needs qemu-io")
def test_kernel_arguments_for_one_run(tmp_path: Path, place: Path) -> None:
    """The disk itself and the files of the run are in such places."""
    disk = make_disk(tmp_path, entry="title One\noptions rw\nlinux /l\n").rename(place / "disk.raw")
    overlay = overlay_with_kargs(disk, "raw", ["odd.place=1"], place)
    whole_disk(overlay, place / "whole")
    with FileSource(place / "whole") as source:
        gpt = read_gpt(source, backup=False)
        found = read_boot_files(source, *gpt.span(3), scratch=place)
    assert "odd.place=1" in found.options

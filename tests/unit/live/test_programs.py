"""Whose program makes the root file system: this machine's, the layer's, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import Tree, open_tree
from bootimg.live.fsoptions import FsType, draft_options, rootfs_options
from bootimg.live.programs.choice import ChosenMaker, choose_maker, require_version
from bootimg.live.programs.known import MAKERS
from bootimg.rpmdb.package import Package
from tests.support.layers import oci
from tests.unit.live.test_rootfs import program

SQUASHFS = FsType.SQUASHFS


def tree_of(folder: Path, *files: str) -> Tree:
    layout = oci.Layout(folder / "image")
    layout.add([oci.bootable(*(oci.file(path, b"x") for path in files), bootloader=False)])
    cache = Cache(folder / "cache")
    image = fetch(str(layout.path), arch=Arch.X86_64, cache=cache, events=Events())
    return open_tree(image, cache, Events())


def package(version: str) -> Package:
    return Package(name="squashfs-tools", epoch=None, version=version, release="1", arch="x86_64")


def choice(
    folder: Path, said: str, monkeypatch: pytest.MonkeyPatch, version: str, *files: str
) -> ChosenMaker:
    """The choice on a machine whose sqfstar says that, for a layer with this package and these files."""
    program(folder / "bin", "sqfstar", f"echo '{said}'", monkeypatch)
    return choose_maker(SQUASHFS, tree_of(folder, *files), [package(version)] if version else None)


def test_this_machines_program_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to run in a virtual machine then."""
    chosen = choice(tmp_path, "sqfstar version 4.6.1", monkeypatch, "4.7", "usr/bin/sqfstar")
    assert chosen.here is not None
    assert chosen.text == "this machine's sqfstar 4.6.1 makes the root file system"


@pytest.mark.parametrize(("version", "shown"), [("4.6.1", "sqfstar 4.6.1"), ("", "sqfstar")])
def test_the_layers_takes_its_place(
    version: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the layer's packages are not known."""
    chosen = choice(tmp_path, "sqfstar version 4.5.1", monkeypatch, version, "usr/bin/sqfstar")
    assert chosen.here is None
    assert f"the layer's {shown} makes the root file system in the appliance: " in chosen.text
    assert "4.5.1, 4.6 or newer is needed" in chosen.text


@pytest.mark.parametrize(
    ("version", "files", "found"),
    [
        ("4.5", ["usr/bin/sqfstar"], "the layer's squashfs-tools is 4.5"),
        ("", [], "the layer has no sqfstar"),
    ],
)
def test_both_versions_are_named_where_neither_will_do(
    version: str, files: list[str], found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BootimgError, match="live-program-too-old") as caught:
        choice(tmp_path, "sqfstar version 4.5.1", monkeypatch, version, *files)
    assert caught.value.exit_code == 3
    assert found in caught.value.context
    assert f"{tmp_path}/bin/sqfstar is 4.5.1, 4.6 or newer is needed" in caught.value.context


def test_a_program_that_is_older_than_its_package_says_is_refused() -> None:
    require_version(MAKERS[SQUASHFS], "sqfstar version 4.6.1 (2023/03/25)\ncopyright (C) 2023")
    with pytest.raises(BootimgError, match="live-program-too-old"):
        require_version(MAKERS[SQUASHFS], "sqfstar version 4.5.1 (2022/03/17)")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "-comp zstd -Xcompression-level 1"),
        ({"live-rootfs-fsoptions": "-comp lz4 -Xhc -b 128K"}, "-comp lz4"),
        ({"live-rootfs-fsoptions": "-comp xz -Xbcj x86"}, "-comp gzip -Xcompression-level 1"),
        ({"live-rootfs-fsoptions": "-b 1M"}, "-comp gzip -Xcompression-level 1"),
        ({"live-rootfs-fstype": "erofs", "live-rootfs-fsoptions": "-zlzma,level=6"}, "-zlz4"),
    ],
)
def test_a_draft_is_packed_quickly(settings: dict[str, str], words: str) -> None:
    options = draft_options(rootfs_options(settings))
    assert " ".join(options.words) == words
    assert options.fstype == settings.get("live-rootfs-fstype", "squashfs")

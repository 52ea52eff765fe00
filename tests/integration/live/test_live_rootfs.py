"""The root file system of live media: the tree that the disk has, the same bytes each time, what boots."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bootimg.errors import BootimgError
from bootimg.live.fsoptions import FsType, RootfsOptions, rootfs_options
from bootimg.live.programs.choice import require_here
from bootimg.live.programs.known import MAKERS
from bootimg.live.rootfs import write_filesystem
from bootimg.live.rootfsimage import DATA_OFFSET
from bootimg.live.roottree import live_root
from bootimg.sysroot.entries import Entry
from bootimg.sysroot.system import System
from bootimg.sysroot.versions import OstreeRules
from bootimg.sysroot.wanted import Wanted
from tests.integration.builds.test_disk import mounted
from tests.integration.conftest import Workspace
from tests.integration.layouts.test_sysroot import laid_out
from tests.layer.recipe import ROOTFS
from tests.support.layers.hostiletree import hostile_tree
from tests.support.layers.ostreedeploy import Facts, commit, facts_of_entries, facts_of_folder, require
from tests.support.live.livemedia import (
    REACHED,
    Live,
    console_of,
    ignition_archive,
    make_live,
    newer_programs,
    served,
)

pytestmark = pytest.mark.real

STREAM_HASH = ROOTFS / "usr/lib/dracut/modules.d/42stand-in-live/stream-hash"
BUILD_ID = "9.6.20261101-0"
QUICK = RootfsOptions(FsType.SQUASHFS, ("-comp", "zstd", "-Xcompression-level", "3"))
OPTIONS = {
    "squashfs": {"live-rootfs-fsoptions": "-comp gzip"},
    "squashfs-zstd": {},
    "erofs": {"live-rootfs-fstype": "erofs"},
    # Those of Fedora CoreOS.
    "erofs-lzma": {
        "live-rootfs-fstype": "erofs",
        "live-rootfs-fsoptions": "-zlzma,level=6 -Eall-fragments,fragdedupe=inode -C1048576 --quiet",
    },
}


@dataclass(frozen=True)
class Layer:
    """The stand-in layer's system."""

    wanted: Wanted
    system: System


@pytest.fixture(scope="module")
def stand_in_system(
    workspace: Workspace, layer: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Layer]:
    """The system, and programs of the layer where this machine's are too old."""
    system, wanted = laid_out(workspace, layer)
    with pytest.MonkeyPatch.context() as patch:
        folder = newer_programs(wanted.commit, tmp_path_factory.mktemp("programs"))
        patch.setenv("PATH", f"{folder}:{os.environ['PATH']}" if folder else os.environ["PATH"])
        yield Layer(wanted, system)


@pytest.fixture(scope="module")
def hostile(stand_in_system: Layer, tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    """A live tree of all that a commit may have and few have."""
    require()
    folder = tmp_path_factory.mktemp("hostile")
    committed = commit(hostile_tree(folder / "tree", 1), folder / "repo")
    return live_root(committed.laid_out(OstreeRules((2025, 2), False)), ())


@pytest.fixture(scope="module")
def live(stand_in_system: Layer, tmp_path_factory: pytest.TempPathFactory) -> Live:
    folder = tmp_path_factory.mktemp("live") / "files"
    return make_live(stand_in_system.wanted, stand_in_system.system, folder, QUICK, BUILD_ID)


def to_seconds(facts: Mapping[str, Facts]) -> dict[str, dict[str, Any]]:
    """Facts as these file systems can have them: times in seconds, no flags."""
    return {name: {**each, "mtime": each["mtime"] // 10**9, "flags": 0} for name, each in facts.items()}


def require_tree(image: Path, entries: Sequence[Entry], folder: Path, options: str = "") -> None:
    """The kernel finds exactly the entries in an image."""
    with mounted(str(image), f"loop,ro{options}", folder) as root:
        theirs = to_seconds(facts_of_folder(root, flags=False))
    ours = to_seconds(facts_of_entries(entries))
    assert theirs.keys() == ours.keys()
    assert {name: facts for name, facts in theirs.items() if facts != ours[name]} == {}


def options_of(name: str) -> RootfsOptions:
    """The options; skips where neither this machine nor the layer has a program that is new enough."""
    options = rootfs_options(OPTIONS[name])
    try:
        require_here(MAKERS[options.fstype])
    except BootimgError as error:
        pytest.skip(str(error))
    return options


@pytest.mark.parametrize("name", OPTIONS)
def test_a_hostile_tree_reads_back(name: str, hostile: list[Entry], tmp_path: Path) -> None:
    """Names, types, modes, owners, attributes, content, hard links and whiteouts."""
    write_filesystem(hostile, tmp_path / "image", options_of(name), identity="x", epoch=1)
    require_tree(tmp_path / "image", hostile, tmp_path / "mounted")


def test_the_layers_tree_reads_back(live: Live, stand_in_system: Layer, tmp_path: Path) -> None:
    """All of it, mounted as a live system on an ISO does."""
    entries = live_root(stand_in_system.system, ())
    require_tree(live.rootfs, entries, tmp_path / "mounted", f",offset={DATA_OFFSET}")


@pytest.mark.parametrize("name", OPTIONS)
def test_the_same_tree_gives_the_same_bytes(
    name: str, hostile: list[Entry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the time zone, the umask, the locale and the number of processors."""
    options = options_of(name)
    write_filesystem(hostile, tmp_path / "one", options, identity="x", epoch=1)
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setenv("LANG", "tr_TR.UTF-8")
    processors, umask = os.sched_getaffinity(0), os.umask(0o077)
    os.sched_setaffinity(0, {min(processors)})
    try:
        write_filesystem(hostile, tmp_path / "two", options, identity="x", epoch=1)
    finally:
        os.sched_setaffinity(0, processors)
        os.umask(umask)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def changed(live: Live, folder: Path) -> Path:
    """A folder with the rootfs image, of which one byte in the middle differs."""
    data = bytearray(live.rootfs.read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "rootfs.img").write_bytes(data)
    return folder


def test_the_stand_ins_check_takes_only_the_image(live: Live, tmp_path: Path) -> None:
    """It passes on what has the right checksums, and nothing of a chunk that has not."""
    (tmp_path / "want").write_bytes(live.image.want_rootfs)

    def check(image: Path) -> subprocess.CompletedProcess[bytes]:
        with image.open("rb") as file:
            return subprocess.run([STREAM_HASH, tmp_path / "want"], stdin=file, capture_output=True)

    good = check(live.rootfs)
    assert (good.returncode, good.stdout) == (0, live.rootfs.read_bytes())
    bad = check(changed(live, tmp_path) / "rootfs.img")
    half = live.image.written.size // 2
    assert bad.returncode == 1
    assert good.stdout.startswith(bad.stdout)
    assert half - (2 << 20) < len(bad.stdout) <= half
    with (tmp_path / "longer").open("wb") as file:
        file.write(good.stdout + b"x")
    assert check(tmp_path / "longer").returncode == 1


@pytest.mark.boot
@pytest.mark.matrix
def test_an_appended_image_boots(live: Live, tmp_path: Path) -> None:
    """As PXE boots it; Ignition runs from an archive after the initramfs."""
    found = REACHED.search(console_of(live, [ignition_archive(), live.rootfs], (), tmp_path))
    assert found
    assert found[1] == "squashfs"


@pytest.mark.boot
@pytest.mark.matrix
def test_an_image_from_a_server_boots(live: Live, tmp_path: Path) -> None:
    """The initramfs downloads and checks it."""
    with served(live.rootfs.parent) as url:
        console = console_of(
            live, [ignition_archive()], [f"coreos.live.rootfs_url={url}/rootfs.img"], tmp_path
        )
    assert REACHED.search(console)


@pytest.mark.boot
@pytest.mark.matrix
def test_a_changed_image_from_a_server_is_refused(live: Live, tmp_path: Path) -> None:
    """One byte differs."""
    with served(changed(live, tmp_path)) as url:
        console = console_of(
            live, [ignition_archive()], [f"coreos.live.rootfs_url={url}/rootfs.img"], tmp_path
        )
    assert "it is not the one of this initramfs" in console
    assert not REACHED.search(console)


@pytest.mark.boot
@pytest.mark.matrix
def test_an_appended_image_of_another_version_is_refused(live: Live, tmp_path: Path) -> None:
    """The build's ids in initramfs and image differ."""
    stamp = f"{BUILD_ID}\n".encode()
    data = live.rootfs.read_bytes()
    at = data.rindex(stamp)
    other = data[:at] + stamp.replace(b"9.6", b"9.7") + data[at + len(stamp) :]
    console = console_of(live, [ignition_archive(), other], (), tmp_path)
    assert f"The initramfs is of version {BUILD_ID}, the rootfs image of version 9.7" in console
    assert not REACHED.search(console)

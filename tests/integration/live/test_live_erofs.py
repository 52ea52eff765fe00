"""`verify` and `inspect` of a live ISO with an erofs, made and read by the erofs-utils of Debian's sid."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bootimg.api.looking import inspect, verify
from bootimg.live.fsoptions import FsType
from bootimg.live.rootfsimage import member_name
from tests.support.debianprograms import erofs_programs
from tests.support.live.livefiles import rootfs_image, written
from tests.support.live.livesystem import good_iso, live_tree, system_files

pytestmark = pytest.mark.real

PROGRAMS = erofs_programs()
# The first are those of Fedora CoreOS.
OPTIONS = {
    "lzma": ["-zlzma,level=6", "-Eall-fragments,fragdedupe=inode", "-C1048576"],
    "zstd": ["-zzstd,level=3", "-C65536"],
    "plain": [],
}


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := PROGRAMS.why_not():
        pytest.skip(reason)
    monkeypatch.setenv("PATH", str(PROGRAMS.folder()), prepend=os.pathsep)


@pytest.mark.parametrize("options", OPTIONS)
def test_the_system_in_an_erofs_is_checked(options: str, tmp_path: Path) -> None:
    """A good one breaks no rule; a package and a program of OpenShift are found."""
    for packages, broken in (["bash"], []), (["bash", "cri-o"], ["ocp-file", "ocp-package"]):
        folder = tmp_path / packages[-1]
        folder.mkdir()
        files = system_files(folder, *packages) | ({"usr/bin/oc": b""} if broken else {})
        tree = live_tree({**files, "usr/lib/big": os.urandom(3 << 20)}, folder / "tree")
        argv: list[str | Path] = ["mkfs.erofs", "--quiet", *OPTIONS[options], folder / "erofs", tree]
        subprocess.run(argv, check=True, capture_output=True)
        rootfs = rootfs_image(filesystem=(folder / "erofs").read_bytes(), name=member_name(FsType.EROFS))
        iso = written(good_iso(rootfs), folder / "live.iso")
        found = verify(iso, cache=tmp_path / "cache").findings
        assert sorted(each.rule.value for each in found) == broken
        document = inspect(iso, cache=tmp_path / "cache")
        assert [each["name"] for each in document["packages"]] == packages

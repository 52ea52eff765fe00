"""Making the root file system: the programs that will do, and what is refused."""

from __future__ import annotations

from pathlib import Path
from threading import Timer

import pytest

from bootimg.errors import BootimgError
from bootimg.jobs import Stop, StoppedError
from bootimg.live.fsoptions import FsType, rootfs_options
from bootimg.live.programs.known import MAKERS
from bootimg.live.programs.program import ThisMachines
from bootimg.live.rootfs import write_filesystem
from bootimg.sysroot.entries import Entry, directory, text

TREE = [directory("", 0o755, 0), text("f", b"x", 0)]


def program(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of this name that is found first."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def write(folder: Path, fstype: FsType, tree: list[Entry]) -> None:
    options = rootfs_options({"live-rootfs-fstype": str(fstype)})
    write_filesystem(tree, folder / "image", options, identity="x", epoch=1)


@pytest.mark.parametrize(
    ("fstype", "version"),
    [
        (FsType.SQUASHFS, "sqfstar version 4.5.1 (2022/03/17)"),
        (FsType.EROFS, "mkfs.erofs 1.8.6"),
        (FsType.EROFS, "an unknown option"),
    ],
)
def test_a_program_that_is_too_old_is_refused(
    fstype: FsType, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of older distributions write wrong images without a word."""
    program(tmp_path / "bin", MAKERS[fstype].name, f"echo '{version}'", monkeypatch)
    with pytest.raises(BootimgError, match="live-program-too-old") as caught:
        write(tmp_path, fstype, TREE)
    assert caught.value.exit_code == 3
    assert not (tmp_path / "image").exists()


def test_an_attribute_that_squashfs_drops_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An access list would be gone in the live system."""
    program(tmp_path / "bin", "sqfstar", "echo sqfstar version 4.6.1", monkeypatch)
    acl = Entry(path=b"f", kind=TREE[1].kind, mode=0o644, xattrs=((b"system.posix_acl_access", b"x"),))
    with pytest.raises(BootimgError, match="live-attribute-unsupported"):
        write(tmp_path, FsType.SQUASHFS, [TREE[0], acl])


def test_a_program_that_fails_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it said, however early it stopped reading."""
    script = '[ "$1" = -version ] && { echo sqfstar version 4.6.1; exit; }; echo broken >&2; exit 1'
    program(tmp_path / "bin", "sqfstar", script, monkeypatch)
    large = text("large", bytes(3 << 20), 0)
    with pytest.raises(BootimgError, match="program-failed") as caught:
        write(tmp_path, FsType.SQUASHFS, [TREE[0], large])
    assert "broken" in caught.value.context


def test_a_file_system_that_lacks_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program said that it succeeded."""
    (tmp_path / "empty").mkdir()
    script = f"""[ "$1" = -version ] && {{ echo sqfstar version 4.6.1; exit; }}
cat > /dev/null
for last; do :; done
exec mksquashfs {tmp_path}/empty "$last" -quiet -no-progress"""
    program(tmp_path / "bin", "sqfstar", script, monkeypatch)
    with pytest.raises(BootimgError, match="live-rootfs-damaged"):
        write(tmp_path, FsType.SQUASHFS, TREE)


def test_a_stop_ends_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that has read everything and still works."""
    script = '[ "$1" = -version ] && { echo sqfstar version 4.6.1; exit; }; cat > /dev/null; exec sleep 600'
    program(tmp_path / "bin", "sqfstar", script, monkeypatch)
    stop = Stop()
    Timer(1, stop.set).start()
    options = rootfs_options({})
    with pytest.raises(StoppedError):
        write_filesystem(
            TREE, tmp_path / "image", options, identity="x", epoch=1, program=ThisMachines(stop.check)
        )

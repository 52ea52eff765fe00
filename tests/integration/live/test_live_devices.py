"""The programs of live media's root file system write the same bytes to a device as to a file.

In the appliance they write to a device.  Here loop devices take the place of its drives, so that programs
which the stand-in layer does not have are tested too.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from bootimg.appliance import Appliance, Drive
from bootimg.live.fsoptions import rootfs_options
from bootimg.live.programs import oflayer
from bootimg.live.programs.oflayer import OfLayer
from bootimg.live.programs.program import ThisMachines
from bootimg.live.rootfs import write_filesystem
from bootimg.sysroot.entries import Entry, directory, text
from tests.support.debianprograms import DebianPrograms, erofs_programs

pytestmark = [pytest.mark.real, pytest.mark.matrix]

PROGRAMS = (
    DebianPrograms("trixie", "squashfs", {"sqfstar": "squashfs-tools"}),
    erofs_programs(),
)
EROFS = {"live-rootfs-fstype": "erofs"}
# Those of Fedora CoreOS.
LZMA = EROFS | {"live-rootfs-fsoptions": "-zlzma,level=6 -Eall-fragments,fragdedupe=inode -C1048576"}


@dataclass
class LoopDevices:
    """What `OfLayer` uses of an appliance, with loop devices and with programs of this machine."""

    drives: Mapping[str, Path]
    devices: dict[str, str] = field(default_factory=dict)

    def device(self, label: str) -> str:
        if label not in self.devices:
            words = ["losetup", "--find", "--show", str(self.drives[label])]
            done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
            self.devices[label] = done.stdout.strip()
        return self.devices[label]

    def put(self, path: str, data: bytes) -> None:
        Path(path).write_bytes(data)

    def run(self, argv: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None) -> bytes:
        return subprocess.run(argv, check=True, stdout=subprocess.PIPE, env=os.environ | (env or {})).stdout

    def close(self) -> None:
        subprocess.run(["sync"], check=True)
        for device in self.devices.values():
            subprocess.run(["umount", "--quiet", device], check=False)
            subprocess.run(["losetup", "--detach", device], check=True)


@contextmanager
def start(drives: Sequence[Drive]) -> Iterator[Appliance]:
    devices = LoopDevices({drive.label: drive.path for drive in drives})
    try:
        yield cast(Appliance, devices)
    finally:
        devices.close()


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that are new enough, before those of this machine."""
    if os.geteuid():
        pytest.skip("loop devices take root")
    for each in PROGRAMS:
        if reason := each.why_not():
            pytest.skip(reason)
    folders = [str(each.folder()) for each in PROGRAMS]
    monkeypatch.setenv("PATH", ":".join([*folders, os.environ["PATH"]]))


def tree() -> list[Entry]:
    """Files that can be compressed in part, below a directory with a label."""
    numbers = random.Random(0)
    root = replace(directory("", 0o755, 0), xattrs=((b"security.selinux", b"system_u:object_r:root_t:s0\0"),))
    files = [text(f"f{number}", numbers.randbytes(5000) + bytes(200000), 0) for number in range(50)]
    return [root, *files]


@pytest.mark.usefixtures("newer")
@pytest.mark.parametrize("settings", [{}, EROFS, LZMA], ids=["squashfs", "erofs", "erofs-lzma"])
def test_a_device_gets_the_bytes_of_a_file(
    settings: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_PSEUDO", "_FILES"):
        monkeypatch.setattr(oflayer, name, str(tmp_path / name))
    options, entries = rootfs_options(settings), tree()
    for name, program in (("file", ThisMachines()), ("device", OfLayer(start))):
        write_filesystem(entries, tmp_path / name, options, identity="x", epoch=1, program=program)
    assert (tmp_path / "device").read_bytes() == (tmp_path / "file").read_bytes()

"""Disks of s390x, made on whatever machine this is, boot: by zipl's record, in QEMU's emulation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.disk.bootpatch import partition_copy
from bootimg.disk.extents import FileSource
from bootimg.disk.view import DiskView
from bootimg.disk.zipl import bootmap
from bootimg.disk.zipl.blocks import BootPartition, locator
from bootimg.disk.zipl.bootmap import Geometry, make_bootmap
from bootimg.disk.zipl.read import read_zipl
from bootimg.disk.zipl.record import BOOTMAP, ZiplRecord
from bootimg.vm.qemu import Program, find_system, parse_version, system_name
from tests.integration.arches.foreigndisks import (
    BOOT_DISK_SCRIPT,
    FIND_BOOT_DISK,
    build,
    check_compressed,
    check_large_sectors,
    check_platforms,
    check_two_boots,
    reported,
    running,
    up,
)
from tests.integration.boots.test_boot import DEADLINE, ignition
from tests.integration.conftest import Built, Workspace
from tests.support.debianprograms import qemu_for_s390x

S390X = Arch.S390X
PLATFORMS = ("ibmcloud", "kubevirt", "metal", "metal4k", "openstack", "qemu")
ZIPL = f"""{FIND_BOOT_DISK}
file() {{ sed -n "s,^$1 /boot/,/boot/,p" /boot/loader/entries/*.conf; }}
mount -t tmpfs tmpfs /tmp
run() {{ zipl --targetbase=$disk --targettype=SCSI --targetblocksize=512 --targetoffset=2048 --target=/boot \\
    --image=$(file linux) "$@"; }}
run && mv /boot/bootmap /boot/alone && dd if=$disk of=/boot/alone-record bs=512 count=1 && say "alone=done"
run --ramdisk=$(file initrd) --parameters="$(cat /proc/cmdline)" && say "zipl=done"
mount -o remount,ro /boot
say "end=end"
"""


@pytest.fixture(scope="module")
def built(own: Workspace) -> Built:
    """The small layer's image for QEMU."""
    return build(own, S390X, "qemu")


@pytest.fixture(scope="module")
def qemu() -> Program:
    """QEMU 10, which is the oldest that was seen to run zipl: this machine's own or Debian 13's.

    QEMU 7.2 runs newer kernels wrongly: they cannot give a file of ext4 a block, which zipl's bootmap needs.
    """
    own = find_system(S390X)
    if own is not None and own.version >= (10,):
        return own
    programs = qemu_for_s390x()
    if reason := programs.why_not():
        pytest.skip(reason)
    line = process.run([programs.folder() / system_name(S390X), "--version"]).stdout.decode()
    return Program(programs.folder() / system_name(S390X), parse_version(line), line)


def test_nothing_is_wrong_with_the_build(built: Built) -> None:
    built.workspace.bootimg("verify", built.path)


@pytest.mark.boot
def test_the_disk_boots_from_its_own_record(disk: Path, tmp_path: Path) -> None:
    # Ignition waits for minutes if there is no config.
    (tmp_path / "config.ign").write_bytes(ignition("a-word", "true"))
    with running(disk, tmp_path / "console.log", S390X, tmp_path / "config.ign") as guest:
        guest.wait_for(up(S390X), DEADLINE)


@pytest.mark.boot
@pytest.mark.matrix
def test_ignition_runs_once_and_the_root_grows(disk: Path, tmp_path: Path, qemu: Program) -> None:
    check_two_boots(disk, tmp_path, S390X, BOOT_DISK_SCRIPT, qemu)


@pytest.mark.boot
@pytest.mark.matrix
def test_zipl_itself_writes_the_same_bytes(disk: Path, tmp_path: Path, qemu: Program) -> None:
    """The layer's program runs on its own machine; bootimg then makes its bootmap for the same places.

    It runs once more with the kernel alone, as for an image that has the rest in itself.
    """
    (tmp_path / "config.ign").write_bytes(ignition("a-word", ZIPL))
    found = reported(disk, tmp_path / "console.log", S390X, tmp_path / "config.ign", qemu)
    assert (found["alone"], found["zipl"]) == ("done", "done")
    view = DiskView(disk, "qcow2", tmp_path)
    span = view.boot()
    assert span is not None
    with FileSource(view.path) as source, partition_copy(source, *span, tmp_path) as image:
        stage3 = read_zipl(source, 512, *span).stage3
        record = ZiplRecord(stage3=stage3, sector_size=512, entry="1", arguments=["ignition.firstboot"])
        partition = BootPartition(image, span[0], 512)
        program, geometry = record.program(partition), Geometry(512, partition.block)
        made = make_bootmap(program, geometry, locator(partition.runs(BOOTMAP), 512))
        assert image.content(BOOTMAP) == made.content
        assert source.read(0, len(made.record)) == made.record
        alone = bootmap.Program(stage3=stage3, kernel=program.kernel)
        made = make_bootmap(alone, geometry, locator(partition.runs("/alone"), 512))
        assert image.content("/alone") == made.content
        kept = image.content("/alone-record")
        assert kept is not None and kept.startswith(made.record)


@pytest.mark.boot
@pytest.mark.matrix
def test_a_disk_with_sectors_of_4096_bytes_boots(own: Workspace, tmp_path: Path) -> None:
    check_large_sectors(own, tmp_path, S390X)


@pytest.mark.matrix
def test_every_platform_of_the_architecture_is_made_and_verified(own: Workspace, tmp_path: Path) -> None:
    whole = check_platforms(own, tmp_path, S390X, PLATFORMS)
    records = set()
    for key in PLATFORMS:
        if key != "kubevirt":
            shown = own.bootimg("inspect", whole.artifact(key), "--json")
            records.add(json.loads(shown.stdout)["zipl"]["arguments"][-2])
    assert records == {f"ignition.platform.id={each}" for each in ("ibmcloud", "metal", "openstack", "qemu")}
    check_compressed(whole, S390X)

"""Boots the disks of small layers of other architectures, and compares what their guests report."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootimg import process
from bootimg.arch import Arch
from bootimg.disk.extents import FileSource, copy_sparse
from bootimg.platform import Platform, platform
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.diskimage import open_image
from bootimg.vm.drives import disk_options
from bootimg.vm.firmware import make_flash
from bootimg.vm.guest import Guest
from bootimg.vm.machine import Machine
from bootimg.vm.qemu import Program
from tests.integration.boots.test_boot import DEADLINE, DISK_STAMP, GIB, ignition
from tests.integration.builds.readback import Table, boot_files, digests, raw_of
from tests.integration.conftest import Built, Workspace
from tests.layer.small import small_layer

SAY = """
say() { echo "REPORT-$((6*7)) $1"; }
"""
_REPORT = """
say "file=$(cat /etc/written-by-ignition)"
say "disk=$(sfdisk --disk-id "$disk")"
say "size=$(df -B1 --output=size /sysroot | tail -n 1 | tr -d ' ')"
say "firstboot=$(test -e /boot/ignition.firstboot && echo there || echo gone)"
say "failed=[$(systemctl --failed --no-legend --plain | cut -d' ' -f1 | tr '\\n' ' ')]"
say "cmdline=$(cat /proc/cmdline)"
say "table=$(sgdisk -v "$disk" | grep -o 'No problems found')"
say "end=end"
"""
SCRIPT = f"""{SAY}
disk=/dev/$(lsblk --noheadings --output PKNAME "$(findmnt --noheadings --nofsroot --output SOURCE /sysroot)")
{_REPORT}"""
"""Reports the disk of the root file system."""
# Which name the disk has depends on the order in which its driver finds it and the config's.
FIND_BOOT_DISK = f"""{SAY}
part=$(basename "$(dirname "$(grep -lx PARTNAME=boot /sys/class/block/*/uevent)")")
disk=/dev/${{part%[0-9]}}
"""
BOOT_DISK_SCRIPT = f"{FIND_BOOT_DISK}{_REPORT}"
"""Reports the disk of the boot partition, where lsblk knows no partitions: without udev."""


def up(arch: Arch) -> str:
    """The line that the layer's own unit prints at the end of a boot, as a regular expression."""
    return rf"stand-in is up on {arch}"


def build(workspace: Workspace, arch: Arch, *names: str, layer: Path | None = None) -> Built:
    """Images for these platforms, of a layer of the architecture: of its small one if none is given."""
    words = ("--arch", arch.value, "-p", ",".join(names), "--json")
    done = workspace.bootimg("build", layer or small_layer(arch), *words)
    return Built(workspace, json.loads(done.stdout))


@contextmanager
def running(
    disk: Path,
    log: Path,
    arch: Arch,
    config: Path | None = None,
    *,
    form: str = "qcow2",
    sectors: int = 512,
    qemu: Program | None = None,
) -> Iterator[Guest]:
    """A guest that boots the disk, with sectors of such a size; in this machine's QEMU, or in this one."""
    device = ["logical_block_size=4096", "physical_block_size=4096"] if sectors == 4096 else []
    words = disk_options(open_image(disk, form), arch.row.hardware.bus, write=True)
    machine = Machine(
        arch=arch,
        accelerator=Accelerator("tcg", "the tests' choice"),
        console=log,
        flash=make_flash(arch, None, log.parent),
        ignition=config,
        write=True,
        reboot=False,
        options=[*words[:-1], ",".join([words[-1], *device])],
    )
    with Guest(machine, qemu=qemu) as guest:
        yield guest


def reported(disk: Path, log: Path, arch: Arch, config: Path, qemu: Program | None = None) -> dict[str, str]:
    """Boot until the guest powers itself off; what its unit reported."""
    with running(disk, log, arch, config, qemu=qemu) as guest:
        guest.wait_for(r"REPORT-42 end=end", DEADLINE)
        guest.wait_off(DEADLINE)
        text = guest.console.text
    return dict(re.findall(r"REPORT-42 (\w+)=(.*?)$", text, re.MULTILINE))


def check_two_boots(
    disk: Path, folder: Path, arch: Arch, script: str = SCRIPT, qemu: Program | None = None
) -> None:
    """Ignition runs in the first of two boots only, and the root has grown."""
    word = uuid.uuid4().hex
    (folder / "config.ign").write_bytes(ignition(word, script))
    (folder / "other.ign").write_bytes(ignition("written-again", script))
    first = reported(disk, folder / "first.log", arch, folder / "config.ign", qemu)
    second = reported(disk, folder / "second.log", arch, folder / "other.ign", qemu)
    assert "ignition.firstboot" in first["cmdline"]
    assert "ignition.firstboot" not in second["cmdline"]
    assert uuid.UUID(first["disk"]) != uuid.UUID(DISK_STAMP)
    assert second["disk"] == first["disk"]
    for found in (first, second):
        assert (found["file"], found["failed"], found["firstboot"]) == (word, "[]", "gone")
        assert found["table"] == "No problems found"
        assert int(found["size"]) > 2 * GIB


def check_large_sectors(workspace: Workspace, folder: Path, arch: Arch) -> None:
    """A copy of the disk with sectors of 4096 bytes boots."""
    image = folder / "disk.raw"
    with FileSource(build(workspace, arch, "metal4k").artifact("metal4k")) as made:
        copy_sparse(made, image)
    with running(image, folder / "console.log", arch, form="raw", sectors=4096) as guest:
        guest.wait_for(up(arch), DEADLINE)


def check_platforms(workspace: Workspace, folder: Path, arch: Arch, names: tuple[str, ...]) -> Built:
    """All are made, other programs find the base disk in each, and `verify` finds nothing."""
    own = Workspace(workspace.cache, folder / "builds")
    whole = build(own, arch, *names)
    own.bootimg("verify", whole.path)
    for name in names:
        (folder / name).mkdir()
        _check_artifact(whole, platform(name, arch), arch, folder / name)
        shutil.rmtree(folder / name)
    return whole


def _check_artifact(whole: Built, of: Platform, arch: Arch, folder: Path) -> None:
    """It is the base disk, but for the boot partition and, on s390x, the record that leads into it."""
    raw = raw_of(of, whole.artifact(of.image_key), folder)
    base = Path(whole.document["base-disks"][str(of.sector_size)])
    table = Table.of(base, of.sector_size)
    mine, wanted = digests(raw, table), digests(base, table)
    record = set() if arch.row.has_grub else {"outside"}
    assert {"3"} <= {part for part in wanted if mine[part] != wanted[part]} <= {"3"} | record
    options, _ = boot_files(raw, table, folder)
    own = [word for word in options.split() if word.startswith("ignition.platform.id=")]
    assert own == [f"ignition.platform.id={of.ignition_id}"]


def check_compressed(whole: Built, arch: Arch) -> None:
    """All that the pipeline compresses is gzip's then, has the same content, and `verify` finds nothing."""
    own, plain = whole.workspace, whole.meta["images"]
    changed = json.loads(own.bootimg("compress", "--arch", arch.value, "--json").stdout)["artifacts"]
    layers = {"ostree", "oci-manifest"}
    assert {each["key"] for each in changed} == {
        key for key, entry in plain.items() if not entry.get("skip-compression") and key not in layers
    }
    own.bootimg("verify", whole.path)
    packed = whole.meta["images"]
    for each in changed:
        assert packed[each["key"]]["uncompressed-sha256"] == plain[each["key"]]["sha256"]
        process.run(["gzip", "--test", each["path"]])

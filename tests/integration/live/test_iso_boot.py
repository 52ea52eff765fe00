"""Our ISO boots: as a CD and as a disk, by BIOS and by UEFI, with what the verbs of `iso` put into it.

The live system is a kernel with an initramfs that only prints what it got: its arguments, and the Ignition
config of the ISO's second initramfs.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bootimg.arches.row import Firmware
from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.live.iso.efiboot import efi_vendor, make_efi_image
from bootimg.vm.kernel import find_kernel
from tests.integration.conftest import Workspace
from tests.support.live.efiprograms import efi_programs
from tests.support.live.liveiso import AREA, EPOCH, VOLUME, host_syslinux, part, written_iso
from tests.support.live.livemedia import console_until_off, iso_machine

BUSYBOX = Path("/bin/busybox")
CONFIG = {"ignition": {"version": "3.0.0"}, "of": "the test"}
INIT = """#!/busybox sh
/busybox mkdir /proc
/busybox mount -t proc proc /proc
echo "ARGUMENTS $(/busybox cat /proc/cmdline)"
echo "CONFIG $(/busybox cat /config.ign)"
/busybox poweroff -f
"""
GRUB = (
    b"""serial --speed=115200
terminal_input serial console
terminal_output serial console
set timeout=0
menuentry live {
  linux /images/pxeboot/vmlinuz %s# COREOS_KARG_EMBED_AREA
  initrd /images/pxeboot/initrd.img /images/ignition.img
}
"""
    % AREA
)
ISOLINUX = (
    b"""serial 0
default live
label live
  kernel /images/pxeboot/vmlinuz
  append initrd=/images/pxeboot/initrd.img,/images/ignition.img %s# COREOS_KARG_EMBED_AREA
"""
    % AREA
)
pytestmark = [
    pytest.mark.boot,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="QEMU is not installed"),
    pytest.mark.skipif(not BUSYBOX.exists(), reason="busybox-static is not installed"),
    pytest.mark.skipif(not shutil.which("cpio"), reason="cpio is not installed"),
]


def initramfs(folder: Path) -> bytes:
    """An initramfs whose only program says what the kernel got."""
    tree = folder / "initramfs"
    tree.mkdir()
    shutil.copy(BUSYBOX, tree / "busybox")
    (tree / "init").write_text(INIT)
    (tree / "init").chmod(0o755)
    argv = ["cpio", "-o", "-H", "newc", "--quiet"]
    return subprocess.run(argv, input=b"init\nbusybox", cwd=tree, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def iso(layer: Path, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ISO with the EFI programs of the stand-in layer, changed by our own verbs."""
    folder = tmp_path_factory.mktemp("iso")
    try:
        syslinux = host_syslinux()
    except BootimgError as error:
        pytest.skip(error.message)
    programs = efi_programs(layer, Cache(workspace.cache))
    made = written_iso(
        folder / "live.iso",
        template={f"EFI/{efi_vendor(programs)}/grub.cfg": GRUB, "isolinux/isolinux.cfg": ISOLINUX},
        syslinux=syslinux,
        efi_image=make_efi_image(programs, VOLUME.id, VOLUME.set_id, EPOCH, folder),
        kernel=part(find_kernel().path.read_bytes()),
        initrd=part(initramfs(folder)),
    )
    config = folder / "config.ign"
    config.write_text(json.dumps(CONFIG))
    workspace.bootimg("iso", "ignition", "embed", made, "-i", config)
    workspace.bootimg("iso", "kargs", "append", made, "console=ttyS0", "quiet", "of.the=test")
    return made


every_start = pytest.mark.parametrize(
    ("medium", "firmware"),
    [
        ("cd", Firmware.BIOS),
        pytest.param("disk", Firmware.BIOS, marks=pytest.mark.matrix),
        pytest.param("cd", Firmware.UEFI, marks=pytest.mark.matrix),
        pytest.param("disk", Firmware.UEFI, marks=pytest.mark.matrix),
    ],
)
"""How a machine can start a live ISO; one way is in the default tier."""


@every_start
def test_the_live_system_gets_its_arguments_and_its_config(
    medium: str, firmware: Firmware, iso: Path, tmp_path: Path
) -> None:
    said = console_until_off(iso_machine(iso, medium, firmware, tmp_path, 512), 400)
    lines = [line.strip() for line in said.splitlines()]
    [arguments] = [line.split()[1:] for line in lines if line.startswith("ARGUMENTS ")]
    assert f"coreos.liveiso={VOLUME.id}" in arguments
    assert arguments.count("of.the=test") == 1
    [config] = [line.removeprefix("CONFIG ") for line in lines if line.startswith("CONFIG ")]
    assert json.loads(config) == CONFIG

"""GRUB, made and placed on a disk file by us, started by a BIOS: what it says on its serial port."""

import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from bootimg.disk.bootloaders.bios_grub import install_bios_grub
from bootimg.disk.bootloaders.grub import PREFIX, core_modules, early_config, grub_cfg
from bootimg.disk.bootloaders.grubmodules import with_dependencies
from bootimg.disk.bootloaders.i386pc import pc_core_image
from bootimg.disk.bootpatch import BootEdits, make_patch
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import write_gpt
from tests.unit.disk.test_gpt import coreos

MODULES = Path("/usr/lib/grub/i386-pc")
SERIAL = ("serial --speed=115200", "terminal_input serial console", "terminal_output serial console")
# Older GRUBs have no blscfg: what it would be told is what the test is about.
BLSCFG = 'function blscfg { echo "MENU root=$root boot=$boot firstboot=[$ignition_firstboot]"; }\n'

pytestmark = [
    pytest.mark.boot,
    pytest.mark.skipif(not (MODULES / "boot.img").exists(), reason="grub-pc-bin is not installed"),
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="QEMU is not installed"),
]


def run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True)


def core_image() -> bytes:
    """Of this machine's GRUB, as bootimg makes it; one that knows no boot entries goes without."""
    there = {path.stem for path in MODULES.glob("*.mod")}
    wanted = [name for name in core_modules(there | {"blsuki"}) if name in there]
    needed = with_dependencies(wanted, (MODULES / "moddep.lst").read_text())
    images = {path.name: path.read_bytes() for path in MODULES.glob("*.img")}
    modules = [(MODULES / f"{name}.mod").read_bytes() for name in needed]
    return pc_core_image(images, modules, config=early_config().encode(), prefix=PREFIX)


def make_disk(folder: Path, *, firstboot: str | None) -> Path:
    disk, tree = folder / "disk", folder / "tree"
    gpt = coreos(mib=600)
    write_gpt(disk, gpt)
    (tree / "grub2").mkdir(parents=True)
    (tree / "grub2/grub.cfg").write_text(BLSCFG + grub_cfg())
    (tree / "grub2/custom.cfg").write_text("echo FINISHED\nhalt\n")
    if firstboot is not None:
        (tree / "ignition.firstboot").write_text(firstboot)
    start, length = gpt.span(3)
    where = ["-E", f"offset={start}"]
    features = ["-t", "ext4", "-L", "boot", "-O", "metadata_csum_seed"]
    run("mke2fs", "-q", *features, "-d", tree, *where, disk, f"{length // 1024}k")
    with FileSource(disk) as source:
        patch = make_patch(source, start, length, BootEdits(console_commands=SERIAL), scratch=folder)
    patch.apply(disk)
    boot = (MODULES / "boot.img").read_bytes()
    start, length = gpt.span(1)
    install_bios_grub(disk, boot_image=boot, core_image=core_image(), start=start, length=length)
    return disk


def serial_output(disk: Path, deadline: float = 120) -> str:
    argv = ["qemu-system-x86_64", "-accel", "tcg", "-m", "256", "-display", "none", "-serial", "stdio"]
    drive = f"file={disk},format=raw,if=virtio,snapshot=on"
    with subprocess.Popen(
        [*argv, "-no-reboot", "-nic", "none", "-drive", drive], stdout=subprocess.PIPE
    ) as qemu:
        watchdog = threading.Timer(deadline, qemu.kill)
        watchdog.start()
        try:
            lines: list[str] = []
            assert qemu.stdout is not None
            for line in qemu.stdout:
                lines.append(line.decode(errors="replace"))
                if "FINISHED" in lines[-1]:
                    break
            return "".join(lines)
        finally:
            watchdog.cancel()
            qemu.kill()


@pytest.mark.parametrize(("firstboot", "wanted"), [
    (None, "[]"),
    ("", "[ignition.firstboot ]"),
    ('set ignition_network_kcmdline="ip=dhcp"\n', "[ignition.firstboot ip=dhcp]"),
])  # fmt: skip
def test_the_bios_starts_grub_and_it_reads_our_configuration(
    tmp_path: Path, firstboot: str | None, wanted: str
) -> None:
    said = serial_output(make_disk(tmp_path, firstboot=firstboot))
    assert f"MENU root=hd0,gpt3 boot=hd0,gpt3 firstboot={wanted}" in said
    assert "FINISHED" in said
    assert "error" not in said

"""Live media of the layer with CoreOS's own tools: they install from the ISO, and check what they fetch."""

from __future__ import annotations

import shutil
from base64 import b64encode
from pathlib import Path

import pytest

from bootimg.arches.row import Firmware
from bootimg.vm.image import is_iso
from tests.integration.boots.test_boot import boot, ignition
from tests.integration.boots.test_coreos import layer_of
from tests.integration.builds.test_disk import output
from tests.integration.conftest import Workspace
from tests.integration.live.test_live import Made, live_build, run_live
from tests.layer import Flavour, Form, tools
from tests.support.live.livemedia import REACHED, report_config, served

pytestmark = [pytest.mark.real, pytest.mark.matrix, pytest.mark.boot]

TARGET = "/dev/disk/by-id/virtio-target"
CONSOLE = "ttyS0,115200n8"
KARGS = ("an.argument=1", "another.argument=2")
WORD = "by-the-live-installer"
# The shell computes what is waited for: the journal echoes the config, which holds the script's text.
INSTALL = """
say() { echo "REPORT-$((6*7)) $1"; }
echo %s | base64 -d > /etc/dest.ign
if coreos-installer install %s; then say installed=yes; else say installed=no; fi
say "network=[$(ls /sys/class/net | grep -vx lo)]"
"""
INSTALLED = "REPORT-42 installed=yes"


@pytest.fixture(scope="module")
def media(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("live-coreos")
    return live_build(layer_of(Flavour.COREOS, Form.PLAIN), workspace.cache, folder)


@pytest.fixture(scope="module")
def installer() -> Path:
    """The compiled coreos-installer, for this machine."""
    if reason := tools.why_not("coreos-installer"):
        pytest.skip(reason)
    return tools.program("coreos-installer")


def live_config(installation: str, then: str = "poweroff") -> bytes:
    """A config for the live system that installs and turns the machine off, or reboots it."""
    dest = b64encode(ignition(WORD)).decode()
    config = ignition("live", INSTALL % (dest, installation))
    return config.replace(b"--no-block poweroff", f"--no-block {then}".encode())


def assert_installed(found: dict[str, str]) -> None:
    """What the installed system reports: its own config has run, without a fault, with the arguments."""
    assert (found["file"], found["failed"], found["firstboot"]) == (WORD, "[]", "gone")
    arguments = found["cmdline"].split()
    assert {"ignition.firstboot", f"console={CONSOLE}", *KARGS} <= set(arguments)
    assert arguments[-len(KARGS) :] == list(KARGS)
    assert found["table"] == "No problems found"
    assert int(found["size"]) > 4 << 30


def reported(console: str) -> dict[str, str]:
    lines = [line.strip().partition("REPORT-42 ")[2] for line in console.splitlines()]
    return {name: value for name, _, value in (line.partition("=") for line in lines) if value}


def test_the_iso_installs_without_a_network(media: Made, tmp_path: Path) -> None:
    """From its osmet file to a disk with sectors of 512 bytes, which is kept and boots."""
    disk = tmp_path / "target.qcow2"
    kargs = " ".join(f"--append-karg {each}" for each in KARGS)
    install = f"--offline --console {CONSOLE} {kargs} --ignition-file /etc/dest.ign {TARGET}"
    words = ("--network", "off", "--target-disk", "6G", "--keep-target", disk)
    iso = media.built.artifact("live-iso")
    said = run_live(media.built.workspace, tmp_path, live_config(install), *words, iso)
    assert INSTALLED in said, said[-4000:]
    assert "REPORT-42 network=[]" in said
    assert_installed(boot(disk, tmp_path / "installed.log", None, Firmware.BIOS))


def test_a_customized_iso_installs_to_large_sectors_and_the_disk_boots(
    media: Made, installer: Path, tmp_path: Path
) -> None:
    """coreos-installer customizes the ISO on this machine.  The installed disk starts after the reboot."""
    iso, live, dest = tmp_path / "custom.iso", tmp_path / "live.ign", tmp_path / "dest.ign"
    config = "/etc/coreos/installer.d/0000-customize.yaml"
    live.write_bytes(live_config(f"--offline --config-file {config}", "reboot"))
    dest.write_bytes(ignition(WORD))
    changes: list[str | Path] = ["--dest-device", TARGET, "--dest-console", CONSOLE, "--dest-ignition", dest]
    changes += [word for each in KARGS for word in ("--dest-karg-append", each)]
    original = media.built.artifact("live-iso")
    output(installer, "iso", "customize", *changes, "--live-ignition", live, "-o", iso, original)
    words = ("--firmware", "uefi", "--network", "off", "--target-disk", "6G:4096")
    said = run_live(media.built.workspace, tmp_path, None, *words, iso)
    assert INSTALLED in said, said[-4000:]
    assert_installed(reported(said.partition(INSTALLED)[2]))


def from_server(media: Made, folder: Path, rootfs: Path) -> str:
    """The console of a PXE boot whose rootfs is fetched from a server."""
    shutil.copyfile(rootfs, folder / "served.img")
    with served(folder) as url:
        words = ("--network", "host", "--kargs", f"coreos.live.rootfs_url={url}/served.img")
        return run_live(media.built.workspace, folder, report_config(), *words, "--pxe", media.built.path)


def test_the_rootfs_is_fetched_and_checked(media: Made, tmp_path: Path) -> None:
    said = from_server(media, tmp_path, media.built.artifact("live-rootfs"))
    assert REACHED.search(said), said[-3000:]


@pytest.mark.parametrize("what", ["a byte", "the version"])
def test_another_rootfs_is_refused_by_the_booted_system(media: Made, what: str, tmp_path: Path) -> None:
    """rdcore finds the wrong chunk before the live system unpacks it."""
    data = bytearray(media.built.artifact("live-rootfs").read_bytes())
    version = f"{media.built.meta['buildid']}\n".encode()
    at = len(data) // 2 if what == "a byte" else data.rindex(version)
    data[at] ^= 1
    (tmp_path / "other.img").write_bytes(data)
    said = from_server(media, tmp_path, tmp_path / "other.img")
    assert "hash mismatch" in said
    assert "it is not the one of this initramfs" in said
    assert not REACHED.search(said)


def test_an_appended_rootfs_of_another_version_is_refused(media: Made, tmp_path: Path) -> None:
    build = tmp_path / "build"
    shutil.copytree(media.built.path, build, copy_function=shutil.copyfile)
    rootfs = build / media.built.artifact("live-rootfs").name
    data, version = bytearray(rootfs.read_bytes()), f"{media.built.meta['buildid']}\n".encode()
    data[data.rindex(version)] ^= 1
    rootfs.write_bytes(data)
    said = run_live(media.built.workspace, tmp_path, report_config(), "--pxe", build)
    assert "The initramfs is of version" in said
    assert not REACHED.search(said)


def test_the_minimal_iso_boots_with_the_rootfs_of_a_server(
    media: Made, installer: Path, tmp_path: Path
) -> None:
    """coreos-installer and we make the same one."""
    full, workspace = media.built.artifact("live-iso"), media.built.workspace
    ours, theirs, rootfs = (tmp_path / name for name in ("ours.iso", "theirs.iso", "rootfs.img"))
    with served(tmp_path) as server:
        url = ["--rootfs-url", f"{server}/rootfs.img"]
        output(installer, "iso", "extract", "minimal-iso", full, theirs, "--output-rootfs", rootfs, *url)
        workspace.bootimg("iso", "extract", "minimal", full, "-o", ours, *url)
        assert ours.read_bytes() == theirs.read_bytes()
        assert is_iso(ours)
        said = run_live(workspace, tmp_path, report_config(), "--network", "host", ours)
    assert REACHED.search(said), said[-3000:]

"""Images of three platforms boot, and Ignition takes its config the way each platform gives it."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest

from bootimg.arches.row import Firmware
from bootimg.disk.kargsoverlay import overlay_with_kargs
from tests.integration.boots import metadata
from tests.integration.boots.test_boot import SCRIPT, boot, ignition
from tests.integration.builds.test_disk import output
from tests.integration.conftest import Built, Workspace

pytestmark = [pytest.mark.real, pytest.mark.matrix, pytest.mark.boot]

# Not every platform has its console on the serial port.  Opened line by line: a getty hangs it up.
TO_SERIAL = SCRIPT.replace('$1"; }', '$1" > /dev/ttyS0; }')
assert "ttyS0" in TO_SERIAL
SERIAL_LAST = ["console=tty0", "console=ttyS0,115200n8"]
LARGE_SECTORS = [
    *("-global", "virtio-blk-pci.logical_block_size=4096"),
    *("-global", "virtio-blk-pci.physical_block_size=4096"),
]
SCREEN_LAST = ["console=ttyS0,115200n8", "console=tty0"]


@pytest.fixture(scope="module")
def images(workspace: Workspace, layer: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    own = Workspace(workspace.cache, tmp_path_factory.mktemp("platforms"))
    done = own.bootimg("build", layer, "-p", "aws,openstack,metal,metal4k", "--json")
    return Built(own, json.loads(done.stdout))


@pytest.fixture
def config(tmp_path: Path) -> tuple[Path, str]:
    """An Ignition config, and the word that it writes."""
    word = uuid.uuid4().hex
    path = tmp_path / "config.ign"
    path.write_bytes(ignition(word, TO_SERIAL))
    return path, word


def disk_of(images: Built, key: str, kind: str, folder: Path) -> Path:
    """The artifact's content as a qcow2 that the guest may write to."""
    disk = folder / "disk.qcow2"
    output("qemu-img", "convert", "-f", kind, "-O", "qcow2", images.artifact(key), disk)
    return disk


def assert_well(found: dict[str, str], word: str, platform: str, consoles: Sequence[str]) -> None:
    arguments = found["cmdline"].split()
    assert [each for each in arguments if each.startswith("ignition.platform.id=")] == [
        f"ignition.platform.id={platform}"
    ]
    assert [each for each in arguments if each.startswith("console=")] == list(consoles)
    assert "ignition.firstboot" in arguments
    assert found["file"] == word
    assert found["firstboot"] == "gone"
    assert found["failed"] == "[]"


def test_openstack_takes_its_config_from_the_config_drive(
    images: Built, config: tuple[Path, str], tmp_path: Path
) -> None:
    data = tmp_path / "drive/openstack/latest/user_data"
    data.parent.mkdir(parents=True)
    data.write_bytes(config[0].read_bytes())
    drive = tmp_path / "config.iso"
    output("genisoimage", "-quiet", "-r", "-V", "config-2", "-o", drive, tmp_path / "drive")
    options = [
        *("-drive", f"if=none,id=config,format=raw,readonly=on,file={drive}"),
        *("-device", "virtio-blk-pci,drive=config"),
        # Without a metadata service, also where this machine itself has one.
        *metadata_network(),
    ]
    disk = disk_of(images, "openstack", "qcow2", tmp_path)
    found = boot(disk, tmp_path / "console.log", None, Firmware.BIOS, options)
    assert_well(found, config[1], "openstack", SCREEN_LAST)


def metadata_network(config: Path | None = None) -> list[str]:
    """QEMU's options for a second network, with the metadata service if there is a config."""
    command = f"{sys.executable} {metadata.__file__} {config}".replace(",", ",,")
    service = f",guestfwd=tcp:{metadata.ADDRESS}:80-cmd:{command}" if config else ""
    network = f"user,id=metadata,restrict=on,net={metadata.NETWORK}{service}"
    return ["-netdev", network, "-device", "virtio-net-pci,netdev=metadata"]


def test_aws_takes_its_config_from_the_metadata_service(
    images: Built, config: tuple[Path, str], tmp_path: Path
) -> None:
    disk = disk_of(images, "aws", "vmdk", tmp_path)
    options = metadata_network(config[0])
    found = boot(disk, tmp_path / "console.log", None, Firmware.BIOS, options)
    assert_well(found, config[1], "aws", SERIAL_LAST)


@pytest.mark.parametrize(
    ("name", "firmware", "options"),
    [("metal", Firmware.BIOS, []), ("metal4k", Firmware.UEFI, LARGE_SECTORS)],
    ids=["metal", "metal4k"],
)
def test_metal_takes_its_config_from_the_kernel_command_line(
    name: str,
    firmware: Firmware,
    options: list[str],
    images: Built,
    config: tuple[Path, str],
    tmp_path: Path,
) -> None:
    """As a machine that boots from the network is given it; coreos-installer's way is its own test."""
    disk = disk_of(images, name, "raw", tmp_path)
    output("qemu-img", "resize", "-q", disk, "4G")
    url = f"ignition.config.url=http://{metadata.ADDRESS}/config.ign"
    overlay = overlay_with_kargs(disk, "qcow2", [url], tmp_path)
    options = [*options, *metadata_network(config[0])]
    found = boot(overlay, tmp_path / "console.log", None, firmware, options)
    assert url in found["cmdline"].split()
    assert_well(found, config[1], "metal", [])
    assert int(found["size"]) > 3 << 30

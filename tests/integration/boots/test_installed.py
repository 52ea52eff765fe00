"""What coreos-installer makes of its own layer's metal image: osmet, and an installed disk that boots."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from bootimg.arches.row import Firmware
from tests.integration.boots.test_boot import boot
from tests.integration.boots.test_coreos import built_of
from tests.integration.boots.test_installer import attached, install, installer, run, target
from tests.integration.builds.test_disk import loop, mounted, output
from tests.integration.conftest import Built, Workspace
from tests.layer import Flavour, Form

__all__ = ["installer"]
pytestmark = [pytest.mark.real, pytest.mark.matrix]

CONSOLE = "ttyS0,115200n8"


@pytest.fixture(scope="module")
def metal(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built_of(Flavour.COREOS, Form.DERIVED, workspace, tmp_path_factory.mktemp("metal"), "metal")


@pytest.mark.boot
@pytest.mark.parametrize("firmware", [Firmware.BIOS, Firmware.UEFI])
def test_a_disk_that_it_installs_boots(
    firmware: Firmware, installer: Path, metal: Built, tmp_path: Path
) -> None:
    arguments = ["--platform", "qemu", "--console", CONSOLE, "--append-karg", "an.argument=1"]
    installed = install(installer, metal, "metal", [*arguments, "--delete-karg", "rw"], tmp_path)
    disk = tmp_path / "disk.qcow2"
    output("qemu-img", "convert", "-f", "raw", "-O", "qcow2", installed.disk, disk)
    found = boot(disk, tmp_path / "console.log", None, firmware)
    # The config that was given to the installer, from the boot partition: none comes from QEMU.
    assert found["file"] == "by-coreos-installer"
    assert found["firstboot"] == "gone"
    assert found["failed"] == "[]"
    arguments = found["cmdline"].split()
    assert arguments[-3:] == ["ignition.platform.id=qemu", f"console={CONSOLE}", "an.argument=1"]
    assert "rw" not in arguments
    assert int(found["size"]) > 3 << 30


def test_its_osmet_gives_the_image_again(installer: Path, metal: Built, tmp_path: Path) -> None:
    """An osmet file has what is on the disk beside the repository's objects; packing verifies it as well."""
    image, osmet = metal.artifact("metal"), tmp_path / "metal.osmet"
    wanted = sha256(image.read_bytes()).hexdigest()
    described: list[str | Path] = ["--description", "A layer", "--checksum", wanted, "--output", osmet]
    with attached(image, 512, "--read-only") as device:
        output("partx", "--update", device)
        done = run(installer, device, "pack", "osmet", device, *described)
    assert done.returncode == 0, done.stderr
    assert osmet.stat().st_size < image.stat().st_size // 20
    again = tmp_path / "again.raw"
    with loop(image, "root") as root, mounted(root, "ro,norecovery,nouuid", tmp_path / "root") as folder:
        with target(again, 512) as device:
            words: list[str | Path] = [
                "dev",
                "extract",
                "osmet",
                "--osmet",
                osmet,
                folder / "ostree/repo",
                device,
            ]
            done = run(installer, device, *words)
        assert done.returncode == 0, done.stderr
    with again.open("rb") as file:
        assert sha256(file.read(image.stat().st_size)).hexdigest() == wanted

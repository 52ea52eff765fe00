"""The layer with the real CoreOS tools inside: they are the judges of the disk that is made of it.

Form `derived` is what a Containerfile FROM an encapsulated image gives, and how RHEL CoreOS's layer ships:
chunks of ostree objects, an empty layer, and one of changed and removed files on top.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bootimg.arches.row import Firmware
from tests.integration.boots.test_boot import boot, ignition
from tests.integration.builds.test_disk import loop, mounted, output
from tests.integration.conftest import Built, Workspace
from tests.layer import Flavour, Form, Request, Variant, stand_in, why_not

pytestmark = pytest.mark.real

SCRIPT = """
say() { echo "REPORT-$((6*7)) $1"; }
line() { tr '\\n' ' '; }
say "file=$(cat /etc/written-by-ignition)"
say "failed=[$(systemctl --failed --no-legend --plain | cut -d' ' -f1 | line)]"
say "bootupd=$(bootupctl status 2>&1 | line)"
say "images=$(ostree container image list --repo /ostree/repo 2>&1 | line)"
say "deployment=$(ostree admin status 2>&1 | line)"
say "root=$(findmnt -no UUID /sysroot)"
say "rootuuid=$(cat /boot/.root_uuid)"
say "bootuuid=$(cat /boot/grub2/bootuuid.cfg | line)"
say "boot=$(findmnt -no UUID /boot)"
say "cmdline=$(cat /proc/cmdline)"
say "installer=$(coreos-installer --version)"
say "end=end"
"""


def layer_of(flavour: Flavour, form: Form, variant: Variant = Variant.BASE) -> Path:
    """The layer's archive, where the tools that it takes are there or can be made."""
    if reason := why_not(Request(flavour, form, variant)):
        pytest.skip(reason)
    return stand_in(flavour, form, variant=variant)


def built_of(
    flavour: Flavour, form: Form, workspace: Workspace, builds: Path, platform: str = "qemu"
) -> Built:
    own = Workspace(workspace.cache, builds)
    done = own.bootimg("build", layer_of(flavour, form), "-p", platform, "--json")
    return Built(own, json.loads(done.stdout))


@pytest.fixture(scope="module")
def derived(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Built from the derived layer."""
    return built_of(Flavour.COREOS, Form.DERIVED, workspace, tmp_path_factory.mktemp("derived"))


@contextmanager
def mounted_disk(built: Built, folder: Path) -> Iterator[Path]:
    """The root of a qcow2, mounted read-only, and /boot beside it."""
    if os.geteuid() != 0:
        pytest.skip("mounts the disk on this machine: needs root")
    raw = folder / "disk.raw"
    output("qemu-img", "convert", "-O", "raw", built.artifact("qemu"), raw)
    with (
        loop(raw, "root") as device,
        mounted(device, "ro,norecovery,nouuid", folder / "root") as found,
        loop(raw, "boot") as boot_device,
        mounted(boot_device, "ro,noload", folder / "boot"),
    ):
        yield found


@pytest.fixture(scope="module")
def root(derived: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with mounted_disk(derived, tmp_path_factory.mktemp("raw")) as found:
        yield found


def refs(root: Path) -> dict[str, str]:
    """The refs of a disk's repository and the commits they name."""
    heads = root / "ostree/repo/refs/heads"
    files = [path for path in heads.rglob("*") if path.is_file()]
    return {str(path.relative_to(heads)): path.read_text().strip() for path in files}


def test_bootupd_has_installed_both_bootloaders(root: Path) -> None:
    boot_folder = root.with_name("boot")
    state = json.loads((boot_folder / "bootupd-state.json").read_bytes())
    assert state["installed"].keys() == {"BIOS", "EFI"}
    assert (boot_folder / "grub2/grub.cfg").read_text().count("blscfg")
    # Our own table's row has not been there as well.
    assert not (boot_folder / "grub").exists()


def test_the_disk_has_the_image_as_the_layer_s_own_tools_look_for_it(derived: Built, root: Path) -> None:
    names = list(refs(root))
    images = [name for name in names if name.startswith("ostree/container/image/")]
    assert len(images) == 1
    manifest: dict[str, Any] = json.loads(next(derived.path.glob("*-ostree.*-manifest.json")).read_bytes())
    layers = {layer["digest"] for layer in manifest["layers"]}
    # An image may have the same layer twice.
    assert sum(name.startswith("ostree/container/blob/") for name in names) >= len(layers) - 1
    output("ostree", f"--repo={root}/ostree/repo", "fsck", "-q")
    [origin] = root.glob("ostree/deploy/rhcos/deploy/*.0.origin")
    assert "container-image-reference=" in origin.read_text()


def report(image: Path, folder: Path, firmware: Firmware) -> dict[str, str]:
    disk, config = folder / "disk.qcow2", folder / "config.ign"
    shutil.copyfile(image, disk)
    config.write_bytes(ignition("by-the-real-ignition", SCRIPT))
    return boot(disk, folder / "console.log", config, firmware)


def assert_well(found: dict[str, str]) -> None:
    assert found["file"] == "by-the-real-ignition"
    assert found["failed"] == "[]"
    assert "Component BIOS" in found["bootupd"]
    assert "Component EFI" in found["bootupd"]
    assert found["bootupd"].count("At latest version") == 2
    assert len(found["images"].split()) == 1
    assert "rhcos" in found["deployment"]
    # rdcore binds the boot partition, whose UUID the first boot has just made.
    assert found["rootuuid"] == found["root"]
    assert found["boot"] in found["bootuuid"]
    assert found["installer"].startswith("coreos-installer ")


@pytest.mark.boot
def test_it_boots_and_the_real_tools_find_all_in_order(derived: Built, tmp_path: Path) -> None:
    assert_well(report(derived.artifact("qemu"), tmp_path, Firmware.BIOS))


@pytest.mark.boot
@pytest.mark.matrix
def test_it_boots_with_uefi(derived: Built, tmp_path: Path) -> None:
    assert_well(report(derived.artifact("qemu"), tmp_path, Firmware.UEFI))


@pytest.mark.matrix
def test_the_layer_s_own_deploy_leaves_the_same(
    root: Path, workspace: Workspace, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = Workspace(workspace.cache, tmp_path / "builds")
    layer = stand_in(Flavour.COREOS, Form.DERIVED)
    done = own.bootimg("build", layer, "-p", "qemu", "--deploy", "layer", "--json")
    with mounted_disk(Built(own, json.loads(done.stdout)), tmp_path) as other:
        mine, theirs = refs(root), refs(other)
        # What the image is called is the source's business: an archive here, a directory inside.
        assert {name for name in mine if "/image/" not in name} == {
            name for name in theirs if "/image/" not in name
        }
        [ours], [its] = (
            root.glob("ostree/deploy/rhcos/deploy/*.0"),
            other.glob("ostree/deploy/rhcos/deploy/*.0"),
        )
        assert tree_checksum(root, mine) == tree_checksum(other, theirs)
        assert (ours / "usr/lib/os-release").read_bytes() == (its / "usr/lib/os-release").read_bytes()


def tree_checksum(root: Path, named: dict[str, str]) -> str:
    """The content checksum of the image's commit: its tree, whatever else the commit says."""
    [commit] = [checksum for name, checksum in named.items() if name.startswith("ostree/container/image/")]
    shown = output("ostree", f"--repo={root}/ostree/repo", "show", commit)
    [line] = [line for line in shown.splitlines() if line.startswith("ContentChecksum:")]
    return line.split()[1]

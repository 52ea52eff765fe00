"""The real coreos-installer installs our metal images, plain and compressed, with what it is told to set."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.boots.test_boot import GIB, ignition
from tests.integration.builds.readback import Table, boot_files, digests
from tests.integration.builds.test_disk import output
from tests.integration.conftest import Built, Workspace
from tests.layer import tools
from tests.layer.contract import platforms_json

pytestmark = [pytest.mark.real, pytest.mark.matrix]

SHIMS = Path(__file__).with_name("shims")
UDEV = Path("/run/udev/control")
SECTORS = {"metal": 512, "metal4k": 4096}
INSTALL = ("install", "--insecure")
SUFFIXES = {"none": ".raw", "gzip": ".raw.gz", "xz": ".raw.xz"}
# coreos-installer only looks whether the socket is there; a mount namespace keeps that from all others.
WITHOUT_UDEV = 'mount -t tmpfs none /run && mkdir /run/udev && : > /run/udev/control && exec "$@"'


@pytest.fixture(scope="module")
def installer() -> Path:
    """The compiled coreos-installer."""
    if os.geteuid() != 0:
        pytest.skip("installs to a loop device: needs root")
    if reason := tools.why_not("coreos-installer"):
        pytest.skip(reason)
    return tools.program("coreos-installer")


@pytest.fixture(scope="module")
def plain(workspace: Workspace, layer: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Metal and metal4k as they are."""
    own = Workspace(workspace.cache, tmp_path_factory.mktemp("plain"))
    done = own.bootimg("build", layer, "-p", ",".join(SECTORS), "--json")
    return Built(own, json.loads(done.stdout))


@pytest.fixture(scope="module", params=SUFFIXES)
def images(
    request: pytest.FixtureRequest, plain: Built, layer: Path, tmp_path_factory: pytest.TempPathFactory
) -> Built:
    """Metal and metal4k, compressed in the way that the parameter names."""
    if request.param == "none":
        return plain
    own = Workspace(plain.workspace.cache, tmp_path_factory.mktemp(request.param))
    packed = ["--compress", "--compressor", request.param]
    done = own.bootimg("build", layer, "-p", ",".join(SECTORS), *packed, "--json")
    built = Built(own, json.loads(done.stdout))
    assert all(built.artifact(name).name.endswith(SUFFIXES[request.param]) for name in SECTORS)
    return built


@dataclass(frozen=True)
class Installed:
    """A disk after an installation."""

    disk: Path
    sector: int

    @property
    def table(self) -> Table:
        return Table.of(self.disk, self.sector)


@contextmanager
def target(disk: Path, sector: int) -> Iterator[str]:
    """An empty disk of 4 GiB with sectors of this size."""
    with disk.open("wb") as file:
        file.truncate(4 * GIB)
    with attached(disk, sector) as device:
        yield device


@contextmanager
def attached(disk: Path, sector: int, *options: str) -> Iterator[str]:
    """A loop device with the disk, and no nodes for its partitions yet."""
    argv = ["losetup", "--find", "--show", "--partscan", "--sector-size", str(sector), *options, str(disk)]
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no loop device with sectors of {sector} bytes: {done.stderr.strip()}")
    device = done.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["partx", "--delete", device], capture_output=True)
        output("losetup", "--detach", device)


def run(installer: Path, device: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run coreos-installer, with shims where no udevd is: they make the device's partition nodes."""
    argv = [str(installer), *map(str, arguments)]
    environment = dict(os.environ)
    if not UDEV.exists():
        argv = ["unshare", "--mount", "sh", "-ec", WITHOUT_UDEV, "sh", *argv]
        environment |= {"PATH": f"{SHIMS}:{os.environ['PATH']}", "INSTALL_TARGET": device}
    return subprocess.run(argv, env=environment, capture_output=True, text=True)


def install(installer: Path, built: Built, name: str, arguments: Sequence[str], folder: Path) -> Installed:
    """Install to an empty disk with an Ignition config."""
    config, disk = folder / "config.ign", folder / "installed.raw"
    config.write_bytes(ignition("by-coreos-installer"))
    image = built.artifact(name)
    with target(disk, SECTORS[name]) as device:
        done = run(
            installer, device, *INSTALL, device, "--image-file", image, "--ignition-file", config, *arguments
        )
    assert done.returncode == 0, done.stderr
    return Installed(disk, SECTORS[name])


def assert_only_boot_is_changed(installed: Installed, image: Path) -> None:
    """In comparison with the uncompressed image."""
    # The installer starts with an empty table, of which the backup stays at the end of the disk.
    os.truncate(installed.disk, image.stat().st_size)
    table = Table.of(image, installed.sector)
    assert installed.table == table
    wanted, found = digests(image, table), digests(installed.disk, table)
    assert {part for part in wanted if found[part] != wanted[part]} == {"3"}


def settings(installed: Installed, folder: Path) -> tuple[list[str], list[str]]:
    """The arguments that the platform or the console sets, and GRUB's commands between the markers."""
    options, console = boot_files(installed.disk, installed.table, folder)
    words = options.split()
    [first] = [at for at, word in enumerate(words) if word.startswith("ignition.platform.id=")]
    between = console.partition("# CONSOLE-SETTINGS-START\n")[2].partition("# CONSOLE-SETTINGS-END")[0]
    return words[first:], between.splitlines()


def config_of(folder: Path) -> bytes:
    """The Ignition config on the boot partition that `settings` has read from."""
    return output("debugfs", "-R", "cat /ignition/config.ign", folder / "boot.img").encode()


@pytest.mark.parametrize("name", SECTORS)
def test_it_installs_for_a_platform(
    name: str, installer: Path, images: Built, plain: Built, tmp_path: Path
) -> None:
    arguments = ["--platform", "openstack", "--append-karg", "an.argument=1"]
    installed = install(installer, images, name, arguments, tmp_path)
    assert_only_boot_is_changed(installed, plain.artifact(name))
    wanted = platforms_json()["openstack"]
    kargs, grub = settings(installed, tmp_path)
    assert kargs == ["ignition.platform.id=openstack", *wanted["kernel_arguments"], "an.argument=1"]
    assert grub == wanted["grub_commands"]
    assert config_of(tmp_path) == ignition("by-coreos-installer")


@pytest.mark.parametrize("name", SECTORS)
def test_consoles_given_by_hand_are_set_for_kernel_and_grub(
    name: str, installer: Path, plain: Built, tmp_path: Path
) -> None:
    arguments = ["--platform", "aws", "--console", "tty0", "--console", "ttyS1,9600n8"]
    installed = install(installer, plain, name, arguments, tmp_path)
    assert_only_boot_is_changed(installed, plain.artifact(name))
    kargs, grub = settings(installed, tmp_path)
    assert kargs == ["ignition.platform.id=aws", "console=tty0", "console=ttyS1,9600n8"]
    assert grub == [
        "serial --unit=1 --speed=9600 --word=8 --parity=no",
        "terminal_input console serial",
        "terminal_output console serial",
    ]


def test_a_disk_of_other_sectors_is_refused(installer: Path, plain: Built, tmp_path: Path) -> None:
    """The installer reads the sector size from the image."""
    with target(tmp_path / "disk.raw", 4096) as device:
        done = run(installer, device, *INSTALL, device, "--image-file", plain.artifact("metal"))
    assert done.returncode == 1
    assert "sector size" in done.stderr

"""Live media as `bootimg build -p live` makes them of the stand-in layer: their files, and their boots."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootimg.formats.output import Written
from bootimg.live.rootfsimage import RootfsImage
from bootimg.targets import LIVE
from tests.integration.conftest import Built, Workspace
from tests.integration.test_iso_boot import every_start, serial_output
from tests.integration.test_sysroot import laid_out
from tests.support.livemedia import (
    REACHED,
    Live,
    console_of,
    ignition_archive,
    newer_programs,
    report_config,
)

pytestmark = pytest.mark.real

ARGUMENTS = ("console=ttyS0", "systemd.show_status=0", "rd.shell=0", "rd.emergency=poweroff",
             "systemd.journald.forward_to_console=1", "systemd.journald.max_level_console=info")  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A build with live media, and the PATH with programs that can make them."""

    built: Built
    path: str

    def digests(self) -> dict[str, str]:
        """The SHA-256 of the four files, by key."""
        return {key: hashlib.sha256(self.built.artifact(key).read_bytes()).hexdigest() for key in KEYS}


KEYS = ("live-iso", "live-kernel", "live-initramfs", "live-rootfs")


@pytest.fixture(scope="module")
def made(built: Built, layer: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """The stand-in layer's live media, in a tree of builds of their own."""
    _, wanted = laid_out(built.workspace, layer)
    folder = newer_programs(wanted.commit, tmp_path_factory.mktemp("programs"))
    path = f"{folder}:{os.environ['PATH']}" if folder else os.environ["PATH"]
    workspace = Workspace(built.workspace.cache, tmp_path_factory.mktemp("live") / "builds")
    done = workspace.bootimg("build", layer, "-p", "live", "--json", PATH=path)
    yield Made(Built(workspace, json.loads(done.stdout)), path)


def test_the_four_files_are_listed_and_never_compressed(made: Made) -> None:
    images = made.built.meta["images"]
    assert {*KEYS} < images.keys()
    for file in LIVE.files:
        entry = images[file.key]
        assert entry["skip-compression"] is True
        assert made.built.artifact(file.key).stat().st_size == entry["size"]
        assert made.digests()[file.key] == entry["sha256"]
    names = [made.built.artifact(key).name for key in KEYS]
    assert [name.partition("-live-")[2] for name in names] == [
        "iso.x86_64.iso", "kernel.x86_64", "initramfs.x86_64.img", "rootfs.x86_64.img",
    ]  # fmt: skip


@pytest.mark.matrix
def test_the_files_are_the_same_each_time(made: Made, layer: Path) -> None:
    before = made.digests()
    workspace = made.built.workspace
    workspace.bootimg(
        "build", layer, "-p", "live", "--force", PATH=made.path, TZ="Pacific/Auckland", LC_ALL="C"
    )
    assert made.digests() == before


@pytest.fixture(scope="module")
def iso(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ISO with a config that reports, and with the serial console."""
    folder = tmp_path_factory.mktemp("iso")
    config, changed = folder / "config.ign", folder / "live.iso"
    config.write_bytes(report_config())
    workspace = made.built.workspace
    workspace.bootimg(
        "iso", "ignition", "embed", "-i", config, "-o", changed, made.built.artifact("live-iso")
    )
    workspace.bootimg("iso", "kargs", "append", changed, *ARGUMENTS)
    return changed


@pytest.mark.boot
@every_start
def test_the_iso_boots_and_runs_the_embedded_config(
    iso: Path, medium: str, firmware: str, tmp_path: Path
) -> None:
    said = serial_output(iso, medium, firmware, tmp_path, seconds=1800, memory=3072)
    (tmp_path / "console.log").write_text(said)
    found = REACHED.search(said)
    assert found, said[-3000:]
    assert found[1] == "squashfs"


@pytest.mark.boot
@pytest.mark.matrix
def test_the_files_boot_from_the_network(made: Made, tmp_path: Path) -> None:
    """The rootfs image is appended to the initramfs, as servers without HTTP do it."""
    kernel, initramfs, rootfs = (made.built.artifact(key) for key in KEYS[1:])
    image = RootfsImage(Written(rootfs, rootfs.stat().st_size, ""), b"")
    said = console_of(Live(kernel, initramfs, image), [rootfs, ignition_archive()], [], tmp_path)
    assert REACHED.search(said), said[-3000:]

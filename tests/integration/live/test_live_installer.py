"""coreos-installer and rdcore on the files of live media that boot from the network, and on a build's ISO."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from bootimg.live import cpio
from bootimg.live.cpio import Member
from bootimg.live.fsoptions import FsType
from bootimg.live.initramfs import overlay, write_initramfs
from bootimg.live.rootfsimage import RootfsImage, write_image
from tests.integration.live.test_live import Made, made
from tests.layer import tools

__all__ = ["made"]
pytestmark = pytest.mark.real

FEATURES = {
    "installer-config": True,
    "installer-config-directives": {"console": True},
    "live-initrd-network": True,
}


@pytest.fixture
def image(tmp_path: Path) -> RootfsImage:
    """A rootfs image of three chunks, its file system of random bytes."""
    (tmp_path / "filesystem").write_bytes(os.urandom(5_000_000))
    return write_image(
        tmp_path / "rootfs.img", tmp_path / "filesystem", FsType.EROFS, "v1", [Member("metal.osmet", b"x")]
    )


@pytest.fixture
def initramfs(tmp_path: Path, image: RootfsImage) -> Path:
    own = b"".join(cpio.members([Member("init", b"#!/bin/sh")]))
    features = json.dumps(FEATURES).encode()
    write_initramfs(tmp_path / "initramfs.img", [own], overlay("v1", features, image.want_rootfs))
    return tmp_path / "initramfs.img"


def program(name: str) -> Path:
    if reason := tools.why_not("coreos-installer"):
        pytest.skip(reason)
    return tools.program(name, of="coreos-installer")


def run(name: str, *arguments: str | Path, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([program(name), *arguments], input=data, capture_output=True)


def test_rdcore_takes_the_image(image: RootfsImage, tmp_path: Path) -> None:
    """The real check of a live initramfs passes on all of it."""
    (tmp_path / "want").write_bytes(image.want_rootfs)
    data = image.written.path.read_bytes()
    done = run("rdcore", "stream-hash", tmp_path / "want", data=data)
    assert (done.returncode, done.stdout) == (0, data), done.stderr


def test_rdcore_refuses_another_image(image: RootfsImage, tmp_path: Path) -> None:
    """One byte of the last chunk differs: the chunks before it are passed on."""
    (tmp_path / "want").write_bytes(image.want_rootfs)
    data = bytearray(image.written.path.read_bytes())
    data[-1] ^= 1
    done = run("rdcore", "stream-hash", tmp_path / "want", data=bytes(data))
    assert done.returncode
    assert b"hash mismatch at offset 4194304" in done.stderr


def test_coreos_installer_reads_the_initramfs(initramfs: Path) -> None:
    """All archives of it."""
    done = run("coreos-installer", "dev", "show", "initrd", initramfs)
    assert done.stdout.decode().split() == [
        "etc/coreos-live-initramfs", "etc/coreos-live-want-rootfs", "etc/coreos/features.json", "init",
    ]  # fmt: skip


def test_coreos_installer_customizes_the_initramfs(initramfs: Path, tmp_path: Path) -> None:
    """It finds the features that it needs, and appends its own archive."""
    (tmp_path / "config.ign").write_text('{"ignition": {"version": "3.0.0"}}')
    out = tmp_path / "customized.img"
    changes: list[str | Path] = ["--dest-ignition", tmp_path / "config.ign", "--dest-console", "ttyS0",
               "--network-keyfile", keyfile(tmp_path)]  # fmt: skip
    done = run("coreos-installer", "pxe", "customize", *changes, "-o", out, initramfs)
    assert not done.returncode, done.stderr
    assert out.read_bytes().startswith(initramfs.read_bytes())
    shown = run("coreos-installer", "dev", "show", "initrd", out).stdout.decode().split()
    assert "config.ign" in shown


def keyfile(folder: Path) -> Path:
    path = folder / "eth.nmconnection"
    path.write_text("[connection]\nid=eth\ntype=ethernet\n")
    return path


@pytest.mark.matrix
def test_coreos_installer_on_the_iso_of_a_build(made: Made, tmp_path: Path) -> None:
    """It changes the ISO and resets it to its bytes, finds the files for PXE in it, makes a minimal ISO."""
    iso, config = tmp_path / "live.iso", tmp_path / "config.ign"
    original = made.built.artifact("live-iso").read_bytes()
    iso.write_bytes(original)
    config.write_text('{"ignition": {"version": "3.0.0"}}')
    changes: list[list[str | Path]] = [
        ["ignition", "embed", "-i", config],
        ["network", "embed", "-k", keyfile(tmp_path)],
        ["kargs", "modify", "-a", "console=ttyS1"],
    ]
    for words in changes:
        before = iso.read_bytes()
        checked("iso", *words, iso)
        assert iso.read_bytes() != before
    assert made.built.workspace.bootimg("iso", "ignition", "show", iso).stdout == config.read_bytes()
    checked("iso", "reset", iso)
    assert iso.read_bytes() == original
    checked("iso", "extract", "pxe", "-o", tmp_path / "pxe", iso)
    found = {path.name: path.read_bytes() for path in (tmp_path / "pxe").iterdir()}
    names = {"vmlinuz": "live-kernel", "initrd.img": "live-initramfs", "rootfs.img": "live-rootfs"}
    assert found == {f"live-{name}": made.built.artifact(key).read_bytes() for name, key in names.items()}
    checked("iso", "extract", "minimal-iso", iso, tmp_path / "theirs.iso")
    made.built.workspace.bootimg("iso", "extract", "minimal", iso, "-o", tmp_path / "ours.iso")
    assert (tmp_path / "ours.iso").read_bytes() == (tmp_path / "theirs.iso").read_bytes()
    assert "IMAGES/PXEBOOT/VMLINUZ" in json.loads(checked("dev", "show", "iso", iso))["records"]


def checked(*arguments: str | Path) -> bytes:
    """What coreos-installer prints; it succeeds."""
    done = run("coreos-installer", *arguments)
    assert not done.returncode, done.stderr
    return done.stdout

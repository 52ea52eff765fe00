"""The image for Secure Execution, held against the programs that its first boot uses: veritysetup and gpg.

Nothing here can run a secure guest.  With s390-tools' pvimg the firmware is seen to start the image, up to
its own program's message that the machine has no Secure Execution.  Without pvimg a stand-in takes its place.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.disk.extents import FileSource, copy_sparse
from bootimg.disk.gpt import read_gpt
from bootimg.vm.qemu import find_system
from tests.integration.arches.foreigndisks import running
from tests.integration.boots.test_boot import DEADLINE
from tests.integration.conftest import Built, Workspace
from tests.layer.small import small_layer
from tests.support.arches.pvimg import SeenPvimg

pytestmark = pytest.mark.matrix

S390X = Arch.S390X
REAL = process.find("pvimg")


@dataclass(frozen=True)
class Secure:
    """A build, its disk as a raw file, and what the program got and made."""

    built: Built
    disk: Path
    pvimg: SeenPvimg


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Secure:
    for program in ("veritysetup", "gpg", "openssl", "qemu-img"):
        if process.find(program) is None:
            pytest.skip(f"{program} is not installed")
    root = tmp_path_factory.mktemp("secex")
    pvimg, key = SeenPvimg(root / "seen"), root / "HKD.crt"
    pvimg.install(REAL)
    subject = ["-days", "1", "-subj", "/CN=host", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp521r1"]
    process.run(["openssl", "req", "-x509", "-nodes", *subject, "-keyout", root / "key", "-out", key])
    workspace = Workspace(root / "cache", root / "builds")
    words = ("--arch", "s390x", "-p", "qemu-secex", "--experimental", "--hostkey", key, "--json")
    path = f"{pvimg.programs}:{os.environ['PATH']}"
    done = workspace.bootimg("build", small_layer(S390X), *words, PATH=path)
    built = Built(workspace, json.loads(done.stdout))
    disk = root / "disk.raw"
    process.run(["qemu-img", "convert", "-O", "raw", built.artifact("qemu-secex"), disk])
    return Secure(built, disk, pvimg)


def partition(secure: Secure, number: int, folder: Path) -> Path:
    """A copy of a partition."""
    path = folder / f"partition-{number}"
    with FileSource(secure.disk) as source:
        start, length = read_gpt(source).span(number)
        copy_sparse(source, path, offset=start, length=length)
    return path


def test_nothing_is_wrong_with_the_build(secure: Secure) -> None:
    secure.built.workspace.bootimg("verify", secure.built.path)
    images = secure.built.meta["images"]
    assert images["ignition-gpg-key"]["path"].endswith("-ignition-secex-key.gpg.pub")
    assert images["ignition-gpg-key"]["skip-compression"] is True
    assert images["qemu-secex"]["path"].endswith("-qemu-secex.s390x.qcow2")


@pytest.mark.parametrize(("name", "data", "tree"), [("bootfs", 3, 5), ("rootfs", 4, 6)])
def test_veritysetup_accepts_the_hash_trees(
    secure: Secure, tmp_path: Path, name: str, data: int, tree: int
) -> None:
    root = secure.pvimg.kernel_arguments[f"{name}.roothash"]
    files = [partition(secure, number, tmp_path) for number in (data, tree)]
    process.run(["veritysetup", "verify", *files, root])


def test_the_arguments_are_those_of_qemus_platform_and_of_the_first_boot(secure: Secure) -> None:
    found = secure.pvimg.kernel_arguments
    assert found["ignition.platform.id"] == "qemu"
    assert "ignition.firstboot" in found


def test_the_image_is_whole_in_its_partition(secure: Secure, tmp_path: Path) -> None:
    image = partition(secure, 1, tmp_path)
    process.run(["e2fsck", "-fn", image])
    process.run(["debugfs", "-R", f"dump /sdboot {tmp_path / 'sdboot'}", image])
    assert (tmp_path / "sdboot").read_bytes() == secure.pvimg.image
    assert process.run(["blkid", "-o", "value", "-s", "LABEL", "-p", image]).stdout == b"se\n"


def test_the_private_key_is_in_the_initramfs_alone(secure: Secure, tmp_path: Path) -> None:
    ramdisk = secure.pvimg.ramdisk
    begin, end = (f"-----{word} PGP PRIVATE KEY BLOCK-----".encode() for word in ("BEGIN", "END"))
    private = begin + ramdisk.partition(begin)[2].partition(end)[0] + end
    public = secure.built.path / secure.built.meta["images"]["ignition-gpg-key"]["path"]
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    gpg: list[process.Argument] = ["gpg", "--homedir", home, "--batch", "--trust-model", "always"]
    process.run([*gpg, "--import"], input=private + b"\n")
    config, encrypted = tmp_path / "config.ign", tmp_path / "config.ign.gpg"
    config.write_bytes(b'{"ignition": {"version": "3.4.0"}}')
    process.run([*gpg, "--recipient-file", public, "--armor", "--output", encrypted, "--encrypt", config])
    decrypted = process.run([*gpg, "--decrypt", encrypted]).stdout
    # gpg leaves its agent running.
    process.run(["gpgconf", "--homedir", home, "--kill", "all"])
    assert decrypted == config.read_bytes()
    # Both blocks begin with a header of their own and the public numbers. The private one goes on within a
    # line, so the third line that it alone has is secret as a whole.
    line = [each for each in private.splitlines()[2:] if each not in public.read_bytes().splitlines()][2]
    for path in (secure.disk, *(each for each in secure.built.path.iterdir() if each.is_file())):
        assert process.run(["grep", "-aqF", line.decode(), path], check=False).returncode == 1


@pytest.mark.boot
@pytest.mark.skipif(REAL is None, reason="pvimg is not installed")
@pytest.mark.skipif(find_system(S390X) is None, reason="QEMU for s390x is not installed")
def test_the_firmware_starts_the_image(secure: Secure, tmp_path: Path) -> None:
    """Its own program says that the emulated machine has no Secure Execution: all is right up to there."""
    disk = Path(shutil.copyfile(secure.built.artifact("qemu-secex"), tmp_path / "disk.qcow2"))
    with running(disk, tmp_path / "console.log", S390X) as guest:
        guest.wait_for("Secure unpack facility is not available", DEADLINE)

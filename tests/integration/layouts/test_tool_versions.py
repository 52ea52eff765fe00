"""The same disk by the file system programs of several versions of Debian, and the same core image."""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootimg import process
from bootimg.disk.bootloaders.i386pc import FILTER
from bootimg.errors import BootimgError
from tests.integration.conftest import Workspace
from tests.support.arches import pcgrub
from tests.support.debianprograms import native_programs, xz_program
from tests.support.layers.smalllayer import small_layer
from tests.unit.disk.test_native_base import require_native

pytestmark = pytest.mark.matrix


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Workspace]:
    """A small layer, and a workspace whose cache has all that it takes but base disks."""
    require_native()
    root = tmp_path_factory.mktemp("versions")
    archive, workspace = small_layer(root / "layer"), Workspace(root / "cache", root / "builds")
    return archive, workspace


def digests(archive: Path, workspace: Workspace, search_path: str) -> dict[str, str]:
    """The SHA-256 of the images for several platforms, from a base disk that is made now."""
    for path in (workspace.cache / "bases", workspace.builds):
        shutil.rmtree(path, ignore_errors=True)
    done = workspace.bootimg("build", archive, "-p", "metal,metal4k,qemu,vmware", "--json", PATH=search_path)
    paths = {each["key"]: Path(each["path"]) for each in json.loads(done.stdout)["artifacts"]}
    del paths["ostree"]
    return {key: hashlib.sha256(path.read_bytes()).hexdigest() for key, path in paths.items()}


@pytest.fixture(scope="module")
def ours(small: tuple[Path, Workspace]) -> dict[str, str]:
    """The images by the programs of this machine."""
    return digests(*small, os.environ["PATH"])


@pytest.mark.parametrize("suite", ["bookworm", "trixie", "sid"])
def test_other_versions_write_the_same_bytes(
    suite: str, small: tuple[Path, Workspace], ours: dict[str, str]
) -> None:
    try:
        folder = native_programs(suite).folder()
    except BootimgError as error:
        pytest.skip(f"Debian's packages are not available: {error}")
    versions = [process.run([folder / name, "-V"], check=False) for name in ("mkfs.xfs", "mke2fs", "mcopy")]
    said = [(each.stdout + each.stderr).decode().splitlines()[0] for each in versions]
    print(*said, sep="\n")
    assert digests(*small, f"{folder}{os.pathsep}{os.environ['PATH']}") == ours


@pytest.mark.parametrize("suite", ["bookworm", "trixie", "sid"])
def test_other_versions_of_liblzma_pack_a_core_image_to_the_same_bytes(suite: str, tmp_path: Path) -> None:
    """Python has one built in or takes the system's: a disk must not depend on it."""
    try:
        program = xz_program(suite).folder() / "xz"
    except BootimgError as error:
        pytest.skip(f"Debian's packages are not available: {error}")
    print(process.run([program, "--version"]).stdout.decode())
    words = {"dict": "dict_size", "nice": "nice_len"} | {each: each for each in ("lc", "lp", "pb", "depth")}
    options = ",".join(f"{word}={FILTER[name]}" for word, name in words.items())
    for number, data in enumerate(payloads()):
        path = tmp_path / str(number)
        path.write_bytes(data)
        argv: list[str | Path] = [
            program,
            "--stdout",
            "--format=raw",
            f"--lzma1={options},mode=normal,mf=bt4",
            path,
        ]
        assert process.run(argv).stdout == lzma.compress(data, lzma.FORMAT_RAW, filters=[FILTER])


def payloads() -> Iterator[bytes]:
    """Code, text and noise; this machine's GRUB where it is installed."""
    yield Path("/bin/sh").read_bytes()
    yield b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    yield pcgrub.noise(300_000) + bytes(300_000)
    yield b"".join(path.read_bytes() for path in sorted(Path("/usr/lib/grub/i386-pc").glob("*.*")))

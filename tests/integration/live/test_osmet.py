"""osmet files: ours and coreos-installer's are read by both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import read_gpt
from bootimg.disk.xfs.read.volume import open_xfs
from bootimg.live.osmet.fileformat import Osmet
from bootimg.live.osmet.pack import pack_osmet
from bootimg.live.osmet.resolve import DiskObjects, Objects, RepositoryFolder
from bootimg.live.osmet.unpack import describe_osmet, unpack_osmet
from bootimg.untrusted.budget import Budget
from tests.integration.boots.test_installer import SECTORS, attached, installer, plain, run, target
from tests.integration.builds.test_disk import mounted, output
from tests.integration.conftest import Built

__all__ = ["installer", "plain"]
pytestmark = [pytest.mark.real, pytest.mark.matrix]
DESCRIPTION = "A layer 9.6"


@pytest.fixture(scope="module", params=SECTORS)
def image(request: pytest.FixtureRequest, plain: Built) -> Path:
    """The image of metal, of metal4k."""
    return plain.artifact(request.param)


@pytest.fixture(scope="module")
def ours(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ours") / "metal.osmet"
    with FileSource(image) as source:
        pack_osmet(source, out, description=DESCRIPTION, architecture="x86_64")
    return out


@pytest.fixture(scope="module")
def theirs(image: Path, installer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the program packs, which it verifies too."""
    out = tmp_path_factory.mktemp("theirs") / "metal.osmet"
    described: list[str | Path] = ["--description", DESCRIPTION, "--checksum", digest(image), "--output", out]
    with attached(image, sector_of(image), "--read-only") as device:
        output("partx", "--update", device)
        done = run(installer, device, "pack", "osmet", device, *described)
    assert done.returncode == 0, done.stderr
    return out


def digest(path: Path, size: int | None = None) -> str:
    """The SHA-256 of a file, or of its first `size` bytes."""
    found, left = sha256(), path.stat().st_size if size is None else size
    with path.open("rb") as file:
        while left:
            data = file.read(min(1 << 20, left))
            found.update(data)
            left -= len(data)
    return found.hexdigest()


def sector_of(image: Path) -> int:
    with FileSource(image) as source:
        return read_gpt(source).sector_size


@contextmanager
def mounted_root(image: Path, folder: Path) -> Iterator[Path]:
    """The root file system of an image, mounted read-only."""
    with FileSource(image) as source:
        gpt = read_gpt(source)
    [number] = [each.number for each in gpt.partitions if each.name == "root"]
    offset, size = map(str, gpt.span(number))
    device = output("losetup", "--show", "-rf", "-o", offset, "--sizelimit", size, image).strip()
    try:
        with mounted(device, "ro,norecovery,nouuid", folder) as root:
            yield root
    finally:
        output("losetup", "-d", device)


def unpacked(osmet: Path, objects: Objects) -> str:
    found = sha256()
    for data in unpack_osmet(osmet, objects, Budget()):
        found.update(data)
    return found.hexdigest()


def test_coreos_installer_unpacks_ours(installer: Path, image: Path, ours: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.raw"
    with mounted_root(image, tmp_path / "root") as root, target(again, sector_of(image)) as device:
        repo = root / "ostree/repo"
        done = run(installer, device, "dev", "extract", "osmet", "--osmet", ours, repo, device)
    assert done.returncode == 0, done.stderr
    assert (
        digest(again, image.stat().st_size) == digest(image) == describe_osmet(ours, Budget()).checksum.hex()
    )


def test_we_unpack_theirs(image: Path, theirs: Path, tmp_path: Path) -> None:
    """With the files of the mounted repository, and with its extents on the disk."""
    with mounted_root(image, tmp_path / "root") as root:
        assert unpacked(theirs, RepositoryFolder(root / "ostree/repo")) == digest(image)
    with FileSource(image) as source:
        gpt = read_gpt(source)
        [number] = [each.number for each in gpt.partitions if each.name == "root"]
        assert unpacked(theirs, DiskObjects(open_xfs(source, *gpt.span(number)))) == digest(image)


def test_both_describe_the_same(ours: Path, theirs: Path) -> None:
    """Beside the writer's name; the root partition's mappings are alike, and we find more elsewhere."""
    found, wanted = describe_osmet(ours, Budget()), describe_osmet(theirs, Budget())
    assert without_mappings(found) == without_mappings(wanted)
    assert found.partitions[-1] == wanted.partitions[-1]
    assert sum(each.length for each in found.absolute()) >= sum(each.length for each in wanted.absolute())
    assert ours.stat().st_size < 1.2 * theirs.stat().st_size


def without_mappings(osmet: Osmet) -> Osmet:
    return replace(osmet, app_version="", partitions=[])

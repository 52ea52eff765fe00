"""What an upload reads: the base disk in the cache with the patch, or the artifact."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.builds.find import find_build
from bootimg.cache import BASES, Cache
from bootimg.cloud.content import even_parts, used_parts
from bootimg.disk.bootpatch import Patch
from bootimg.disk.composite import Composite
from bootimg.disk.extents import FileSource
from bootimg.disk.layer_deploy import DeployWay
from bootimg.errors import BootimgError
from bootimg.formats import Compressor, Written
from bootimg.orchestrator.artifacts.origin import find_origin, keep_origin
from bootimg.orchestrator.basedisk import BaseDisk, _seal, find_base
from bootimg.orchestrator.uploading.content import ArtifactContent
from bootimg.platform import platforms
from bootimg.sizes import KIB, MIB
from tests.support.clouds.cloudbuilds import BUILD, DATA, SIZE, make_aws_build, make_cloud_build
from tests.support.disks import make_disk, needs_qemu_img

BLOCKS = ((4096, b"a" * 4096), (20 * MIB, b"b" * 4096))


def base_disk(cache: Cache, raw: Path | None = None) -> BaseDisk:
    """A sealed base disk in the cache, `raw` or one that is smaller than the builds' disks."""
    folder = cache.folder(BASES) / "key"
    folder.mkdir()
    disk = folder / "disk.raw"
    if raw is None:
        make_disk(disk, SIZE - MIB, DATA)
    else:
        raw.rename(disk)
    _seal(folder, disk, "c" * 64, DeployWay.NATIVE)
    base = find_base(cache, "key")
    assert base is not None
    return base


def content(builds: Path, cache: Cache) -> ArtifactContent:
    return ArtifactContent(find_build(builds, BUILD, Arch.X86_64), platforms()["aws"], cache)


def test_the_cached_base_disk_is_read_with_the_patch_and_the_artifact_is_not_needed(tmp_path: Path) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    cache = Cache(tmp_path / "cache")
    base, found = base_disk(cache), content(tmp_path / "builds", cache)
    keep_origin(base, Written(path, 1, found.sha256), Patch(BLOCKS), SIZE)
    next(path.glob("*.vmdk")).unlink()
    wanted = bytearray(base.path.read_bytes().ljust(SIZE, b"\0"))
    for offset, data in BLOCKS:
        wanted[offset : offset + len(data)] = data
    with found.disk() as source:
        assert source.read(0, source.size) == wanted


@pytest.mark.parametrize("cached", [True, False])
def test_the_bytes_of_a_vhd_with_and_without_its_file(cached: bool, tmp_path: Path) -> None:
    path, raw = make_cloud_build(tmp_path / "builds", "azure")
    cache, file = Cache(tmp_path / "cache"), next(path.glob("*.vhd"))
    build = find_build(tmp_path / "builds", BUILD, Arch.X86_64)
    found, vhd = ArtifactContent(build, platforms()["azure"], cache), file.read_bytes()
    if cached:
        base = base_disk(cache, raw)
        keep_origin(base, Written(path, 1, found.sha256), Patch(), SIZE)
        file.unlink()
    with found.artifact() as source:
        assert isinstance(source, Composite) == cached
        assert source.read(0, source.size) == vhd


def test_a_vhd_with_another_footer_is_read_from_its_file(tmp_path: Path) -> None:
    """As coreos-assembler's, which has a random id and the time."""
    path, raw = make_cloud_build(tmp_path / "builds", "azure")
    cache, file = Cache(tmp_path / "cache"), next(path.glob("*.vhd"))
    data = bytearray(file.read_bytes())
    data[-400] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)
    document = json.loads((path / "meta.json").read_text())
    document["images"]["azure"]["sha256"] = hashlib.sha256(data).hexdigest()
    (path / "meta.json").write_text(json.dumps(document))
    build = find_build(tmp_path / "builds", BUILD, Arch.X86_64)
    found = ArtifactContent(build, platforms()["azure"], cache)
    keep_origin(base_disk(cache, raw), Written(path, 1, found.sha256), Patch(), SIZE)
    with found.artifact() as source:
        assert source.read(0, source.size) == data


def test_a_base_disk_that_was_changed_or_is_another_is_not_read(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    base = base_disk(cache)
    keep_origin(base, Written(tmp_path, 1, "a" * 64, 9, "b" * 64), Patch(BLOCKS), SIZE)
    assert find_origin(cache, "a" * 64) is None
    assert find_origin(cache, "b" * 64) is not None
    os.utime(base.path, (1, 1))
    assert find_origin(cache, "b" * 64) is None
    (base.path.parent / "seal.json").unlink()
    _seal(base.path.parent, make_disk(tmp_path / "other", SIZE - MIB, DATA), "c" * 64, DeployWay.NATIVE)
    assert find_origin(cache, "b" * 64) is None


@needs_qemu_img
@pytest.mark.parametrize("compressor", [Compressor.NONE, Compressor.GZIP, Compressor.XZ, Compressor.ZSTD])
def test_without_the_cache_the_artifact_is_read(compressor: Compressor, tmp_path: Path) -> None:
    path, raw = make_aws_build(tmp_path / "builds", compressor=compressor)
    found = content(tmp_path / "builds", Cache(tmp_path / "cache"))
    assert found.name == f"rhcos-{BUILD}-aws.x86_64.vmdk"
    with found.disk() as source:
        assert source.read(0, source.size) == raw.read_bytes()
    with found.file() as file:
        assert (file == path / found.name) == (compressor is Compressor.NONE)
    assert not file.exists() or file.parent == path


def test_an_artifact_that_the_build_does_not_have(tmp_path: Path) -> None:
    make_aws_build(tmp_path / "builds")
    build = find_build(tmp_path / "builds", BUILD, Arch.X86_64)
    with pytest.raises(BootimgError) as error:
        _ = ArtifactContent(build, platforms()["gcp"], Cache(tmp_path)).sha256
    assert error.value.id == "artifact-missing"


def test_parts_are_the_blocks_with_data(tmp_path: Path) -> None:
    block = 512 * KIB
    raw = make_disk(tmp_path / "disk", 10 * MIB + 700, [(0, 1), (3 * MIB, 2 * MIB), (10 * MIB, 700)])
    with raw.open("r+b") as file:
        file.seek(8 * MIB)
        file.write(bytes(block))
    with FileSource(raw) as source:
        found = [(each.number, each.offset, each.length) for each in used_parts(source, block)]
    numbers = [0, 6, 7, 8, 9, 20]
    assert found == [(n, n * block, 700 if n == 20 else block) for n in numbers]
    assert [(each.number, each.offset, each.length) for each in even_parts(25, 10)] == [
        (1, 0, 10), (2, 10, 10), (3, 20, 5),
    ]  # fmt: skip

"""A build of every platform through compress, uncompress and compress again, looked at after each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bootimg.arch import Arch
from bootimg.builds.find import find_build
from bootimg.builds.folder import BuildDir, open_build
from bootimg.builds.layout import ociarchive_name
from bootimg.builds.meta import layer_meta
from bootimg.cache import Cache
from bootimg.checks.builds.buildfindings import build_findings
from bootimg.disk.bootpatch import Patch
from bootimg.disk.composite import Composite
from bootimg.events import Events
from bootimg.formats import Compressor, Packing
from bootimg.formats.packagers import packager_of
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipes
from bootimg.orchestrator.artifacts.packaging import Packer
from bootimg.orchestrator.artifacts.platformimage import publish_image
from bootimg.orchestrator.compress import compress_images, each_build, uncompress_images
from bootimg.orchestrator.recipes.prepare import Layer, open_layer
from bootimg.platform import Platform, platforms
from bootimg.sizes import GIB, MIB
from tests.support.disks import make_disk, run
from tests.support.layers import oci
from tests.support.layers.manifests import of_every_platform
from tests.unit.builds.test_meta import identity
from tests.unit.orchestrator.test_variables import request

BUILD = "9.6.20261101-0"
EVENTS = Events()
Json = dict[str, Any]
Change = Callable[[Path], object]


def made_for(arch: Arch) -> dict[str, Platform]:
    return {each.image_key: each for each in platforms().values() if each.buildable and arch in each.arches}


def put_layer(build: BuildDir, folder: Path, image_json: bytes) -> Layer:
    """The layer in the build and its archive; the layer, opened."""
    layout = oci.Layout(folder / "image")
    layout.add([oci.bootable(image_json=image_json)], arch=build.arch.oci)
    path = layout.archive(build.file(ociarchive_name("rhcos", BUILD, build.arch)))
    data = path.read_bytes()
    archive = {"path": path.name, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    build.meta.merge(layer_meta(identity(arch=build.arch, labels=oci.LABELS)))
    build.meta.merge({"images": {"ostree": archive | {"skip-compression": True}}})
    return open_layer(request(folder, arch=build.arch), Cache(folder / "cache"), EVENTS)


def make(
    folder: Path,
    arch: Arch,
    names: set[str] | None = None,
    compressor: str = "none",
    size: int | None = None,
    image_json: bytes = b'{"size": 4}',
) -> Path:
    """A build with the images of the platforms, written as a build writes them, from a small disk."""
    folder.mkdir(exist_ok=True)
    recipes = read_recipes(Manifest.from_json(of_every_platform(arch)))
    raw = make_disk(folder / "raw", 24 * MIB, [(0, 300_000), (17 * MIB, 70_000)])
    with open_build(folder / "builds", BUILD, arch) as build:
        layer = put_layer(build, folder, image_json)
        for key, platform in made_for(arch).items():
            if names is not None and key not in names:
                continue
            disk = recipes[platform.sector_size].platforms[platform.name]
            packing = Packing(Compressor.NONE if platform.skip_compression else Compressor(compressor), 2)
            name = (
                f"rhcos-{BUILD}-{packager_of(platform).file_name(platform, disk).partition(f'{BUILD}-')[2]}"
            )
            name += packing.compressor.suffix
            with (
                Composite(raw, Patch(), size or platform.disk_mib(metal=24, layer=24) * MIB) as source,
                EVENTS.step(key, name) as step,
            ):
                packer = Packer(layer, packing, step)
                written = packer.write(platform, disk, source, build.scratch / name)
            publish_image(build, platform, written, name)
        build.finish()
        return build.path


def images(path: Path) -> dict[str, Json]:
    return dict(json.loads((path / "meta.json").read_bytes())["images"])


def faults(path: Path) -> list[str]:
    return [str(each) for each in build_findings(find_build(path.parent.parent, str(path)), EVENTS)]


def compress(path: Path) -> set[str]:
    done = each_build(
        path.parent.parent, "latest", None, lambda folder: compress_images(folder, None, EVENTS)
    )
    return {each.key for each in done}


def uncompress(path: Path) -> set[str]:
    done = each_build(path.parent.parent, "latest", None, lambda folder: uncompress_images(folder, EVENTS))
    return {each.key for each in done}


@pytest.mark.parametrize("arch", [Arch.X86_64, Arch.PPC64LE])
def test_an_image_of_every_format_comes_back_as_it_was(tmp_path: Path, arch: Arch) -> None:
    """tests/integration/builds/test_compress_all.py takes every platform's image."""
    by_suffix = {platform.suffix: key for key, platform in reversed(made_for(arch).items())}
    require_same_images_back(tmp_path, arch, {*by_suffix.values()})


def require_same_images_back(folder: Path, arch: Arch, names: set[str]) -> None:
    """Compress, uncompress and compress the images of these platforms."""
    path = make(folder, arch, names)
    known = {key: platform for key, platform in made_for(arch).items() if key in names}
    assert {"gcp", "virtualbox"} <= known.keys() or "powervs" in known
    plain = images(path)
    assert faults(path) == []
    others = {key for key, platform in known.items() if not platform.skip_compression}
    assert compress(path) == others
    packed = images(path)
    assert faults(path) == []
    assert compress(path) == set()
    assert uncompress(path) == others
    assert images(path) == plain
    assert faults(path) == []
    assert uncompress(path) == set()
    assert compress(path) == others
    assert images(path) == packed
    assert faults(path) == []


def test_what_is_compressed_by_its_format_says_nothing_of_what_is_in_it(tmp_path: Path) -> None:
    for arch in (Arch.X86_64, Arch.PPC64LE):
        found = images(make(tmp_path / arch, arch, compressor="gzip"))
        for key, platform in made_for(arch).items():
            entry = found[key]
            assert entry.get("skip-compression", False) == platform.skip_compression
            assert ("uncompressed-sha256" in entry) == (not platform.skip_compression), key
            assert entry["path"].endswith(platform.suffix if platform.skip_compression else ".gz")


@pytest.mark.parametrize(("arch", "key"), [(Arch.X86_64, "gcp"), (Arch.PPC64LE, "powervs")])
def test_a_build_that_has_both_is_checked_and_left_alone(tmp_path: Path, arch: Arch, key: str) -> None:
    """As coreos-assembler's powervs, and what bootimg made before."""
    path = make(tmp_path, arch, {key})
    tar = run("gzip", "-dc", path / images(path)[key]["path"])
    both = {"uncompressed-sha256": hashlib.sha256(tar).hexdigest(), "uncompressed-size": len(tar)}
    change(path, key, both)
    before = images(path)
    assert faults(path) == []
    assert (compress(path), uncompress(path)) == (set(), set())
    assert images(path) == before
    change(path, key, {"uncompressed-sha256": "0" * 64})
    assert [each.split(":")[0] for each in faults(path)] == ["uncompressed-digest"]


@pytest.mark.parametrize(("arch", "key"), [(Arch.X86_64, "gcp"), (Arch.PPC64LE, "powervs")])
def test_what_an_older_version_took_apart_is_found_and_made_whole(
    tmp_path: Path, arch: Arch, key: str
) -> None:
    path = make(tmp_path, arch, {key})
    whole = images(path)
    packed = path / whole[key]["path"]
    tar, plain = run("gzip", "-dc", packed), packed.with_suffix("")
    packed.unlink()
    plain.write_bytes(tar)
    change(path, key, {"path": plain.name, "sha256": hashlib.sha256(tar).hexdigest(), "size": len(tar)}, True)
    [found] = faults(path)
    assert found.startswith("artifact-name")
    assert "bootimg compress" in found
    assert uncompress(path) == set()
    assert compress(path) == {key}
    assert images(path) == whole
    assert not plain.exists()
    assert faults(path) == []


def test_a_disk_in_an_archive_has_a_size_that_google_takes(tmp_path: Path) -> None:
    [found] = faults(make(tmp_path, Arch.X86_64, {"gcp"}, size=GIB + 4 * MIB))
    assert found.startswith(f"disk-size: artifact gcp: {GIB + 4 * MIB} bytes")


def change(path: Path, key: str, values: Json, whole: bool = False) -> None:
    meta = json.loads((path / "meta.json").read_bytes())
    meta["images"][key] = values if whole else meta["images"][key] | values
    (path / "meta.json").write_text(json.dumps(meta))

"""What a recipe is rendered with: the disk's size, the origin of updates, the layer's own wishes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootimg.arch import Arch
from bootimg.build.prepare import Layer, open_layer
from bootimg.build.request import Request
from bootimg.build.variables import disk_sizes_mib, make_variables, target_imgref
from bootimg.cache import Cache
from bootimg.disk.size import estimate_root_mib, metal_size_mib
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.layer.fetch import fetch
from bootimg.layer.tree import Tree, open_tree
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipes
from bootimg.manifest.render import render
from bootimg.platform import platform
from bootimg.sizes import GIB, MIB
from tests.unit import oci

IMGREF = "ostree-image-signed:docker://quay.io/example/os:latest"


def request(folder: Path, **changes: Any) -> Request:  # noqa: ANN401
    wanted = Request(
        reference=str(folder / "image"),
        arch=Arch.X86_64,
        platforms=(platform("qemu", Arch.X86_64),),
        builds=folder / "builds",
    )
    return replace(wanted, **changes)


def layer(folder: Path, image_json: bytes = b'{"size": 4}', **changes: Any) -> Layer:  # noqa: ANN401
    oci.Layout(folder / "image").add([oci.bootable(image_json=image_json)])
    return open_layer(request(folder, **changes), Cache(folder / "cache"), Events())


def tree(folder: Path, *members: oci.Member) -> Tree:
    layout, cache = oci.Layout(folder / "image"), Cache(folder / "cache")
    layout.add([oci.tar(*members)])
    image = fetch(str(layout.path), arch=Arch.X86_64, cache=cache, events=Events())
    return open_tree(image, cache, Events())


def test_estimate_counts_blocks_inodes_and_a_margin(tmp_path: Path) -> None:
    data = oci.file("data", b"x" * (10 * MIB))
    found = tree(tmp_path, data, oci.hardlink("same", "data"), oci.folder("d"), oci.symlink("l", "d"))
    # 2561 blocks of the data, counted once, and one each of the folder and the link; three inodes.
    used = (2561 + 2) * 4096 + 3 * 512
    xfs = 256
    assert estimate_root_mib(found) == -(-used * 140 // 100 // MIB) + 1 + xfs
    assert metal_size_mib(found, Arch.X86_64) == estimate_root_mib(found) + 513
    assert metal_size_mib(found, Arch.S390X) == estimate_root_mib(found) + 513 + 585


def test_estimate_grows_by_whole_blocks(tmp_path: Path) -> None:
    small = [oci.file(f"f{number}", b"x") for number in range(2000)]
    found = tree(tmp_path, *small)
    assert estimate_root_mib(found) - 1 - 256 == -(-2000 * (4096 + 512) * 140 // 100 // MIB)


def test_size_is_what_was_asked_for_else_image_json_s_else_the_estimate(tmp_path: Path) -> None:
    found = layer(tmp_path)
    metal = metal_size_mib(found.tree, Arch.X86_64)

    def sizes(**changes: Any) -> tuple[int, int]:  # noqa: ANN401
        return disk_sizes_mib(request(tmp_path, **changes), found.tree, found.facts)

    assert sizes() == (metal, 4096)
    assert sizes(size=20 * GIB) == (metal, 20480)
    assert sizes(size=2 * GIB + 1) == (metal, 2049)
    unsized = replace(found.facts, image_json=replace(found.facts.image_json, size=None))
    assert disk_sizes_mib(request(tmp_path), found.tree, unsized) == (metal, metal)


def test_the_estimate_is_rounded_up_for_each_platform_as_size_is(tmp_path: Path) -> None:
    found = layer(tmp_path, b"{}")
    wanted = tuple(platform(name, Arch.X86_64) for name in ("qemu", "gcp", "azure", "metal"))
    given = make_variables(
        request(tmp_path, platforms=wanted), found.image, found.tree, found.facts, ociarchive="/a"
    )
    metal = metal_size_mib(found.tree, Arch.X86_64)
    assert metal % 1024
    recipe = read_recipes(Manifest.from_json(render(replace(given, ociarchive_sha256="ab" * 32))))[512]
    sizes = {name: (each.size or recipe.disk.size) // MIB for name, each in recipe.platforms.items()}
    assert sizes == {"qemu": metal, "azure": metal, "metal": metal, "gcp": -(-metal // 1024) * 1024}


def test_disk_too_small_is_refused_before_work_starts(tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as caught:
        layer(tmp_path, size=512 * MIB)
    assert caught.value.id == "disk-too-small"


def test_origin_is_what_was_asked_for_else_image_json_s_else_the_reference(tmp_path: Path) -> None:
    found = layer(tmp_path, b'{"size": 4, "container-imgref": "ostree-unverified-registry:quay.io/a/b:c"}')
    of_layer = target_imgref(request(tmp_path), found.image, found.facts)
    assert of_layer == "ostree-unverified-registry:quay.io/a/b:c"
    assert target_imgref(request(tmp_path, target_imgref=IMGREF), found.image, found.facts) == IMGREF
    silent = replace(found.facts, image_json=replace(found.facts.image_json, container_imgref=None))
    for reference, expected in [
        ("docker://quay.io/x/y:z", "ostree-unverified-registry:quay.io/x/y:z"),
        ("oci-archive:/srv/x.ociarchive", "ostree-unverified-image:oci-archive:/srv/x.ociarchive"),
    ]:
        image = replace(found.image, reference=reference)
        assert target_imgref(request(tmp_path), image, silent) == expected


@pytest.mark.parametrize("wrong", ["quay.io/x/y:z", "docker://quay.io/x", "ostree-unverified-registry:", ""])
def test_origin_that_ostree_does_not_take_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(BootimgError) as caught:
        layer(tmp_path, target_imgref=wrong)
    assert caught.value.id == "imgref-malformed"


def test_variables_are_the_layer_s(tmp_path: Path) -> None:
    found = layer(tmp_path, b'{"size": 4, "extra-kargs": ["mitigations=auto,nosmt"]}')
    given = make_variables(
        request(tmp_path), found.image, found.tree, found.facts, ociarchive="/a.ociarchive", sha256="ab"
    )
    assert (given.osname, given.artifact_name_prefix) == ("rhcos", "rhcos-9.6.20261101-0")
    assert given.extra_kargs == ("mitigations=auto,nosmt",)
    assert (given.cloud_image_size_mb, given.ociarchive) == (4096, "/a.ociarchive")

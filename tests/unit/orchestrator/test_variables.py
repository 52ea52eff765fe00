"""What a recipe is rendered with: the disk's size, the origin of updates, the layer's own wishes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.size import estimate_root_mib, metal_size_mib
from bootimg.errors import BootimgError
from bootimg.events import Event, Events, Message
from bootimg.kernelarg import KernelArgument
from bootimg.layer.declared.facts import LayerFacts
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import Tree, open_tree
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipes
from bootimg.manifest.render import render
from bootimg.orchestrator.basedisk import base_key
from bootimg.orchestrator.recipes.installation import bootc_options, kernel_arguments, recipe_arguments
from bootimg.orchestrator.recipes.prepare import Layer, open_layer
from bootimg.orchestrator.recipes.recipes import make_recipes
from bootimg.orchestrator.recipes.variables import (
    disk_sizes_mib,
    make_variables,
    target_imgref,
    warn_of_no_updates,
)
from bootimg.orchestrator.request import Request
from bootimg.platform import platform
from bootimg.sizes import GIB, MIB
from tests.support.layers import oci

IMGREF = "ostree-image-signed:docker://quay.io/example/os:latest"

# References as `fetch` writes them; nothing but the last name is of the layer.
LOCAL = {
    "oci-archive:/srv/x.ociarchive": "oci-archive:x.ociarchive",
    "oci-archive:/home/user/x.ociarchive:v1": "oci-archive:x.ociarchive",
    "oci:/tmp/build-ab12/my layer\n[origin]/": "oci:my_layer__origin_",
    "oci:../..": "oci:layer",
    "containers-storage:localhost/os:latest": "containers-storage:localhost/os",
    "containers-storage:[overlay@/home/user/.local/share+/run/user/1000]localhost/os:latest":
        "containers-storage:localhost/os",
}  # fmt: skip


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
    digest = "sha256:" + "0" * 64
    for pinned in (
        IMGREF.replace(":latest", ""),
        "ostree-remote-image:r:registry:h:5000/a",
        "ostree-unverified-registry:os",
    ):
        both = request(tmp_path, target_imgref=f"{pinned}:tag@{digest}")
        assert target_imgref(both, found.image, found.facts) == f"{pinned}@{digest}"
    silent = replace(found.facts, image_json=replace(found.facts.image_json, container_imgref=None))
    for reference, expected in [
        ("docker://quay.io/x/y:z", "ostree-unverified-registry:quay.io/x/y:z"),
        *((local, f"ostree-unverified-image:{name}@{found.image.digest}") for local, name in LOCAL.items()),
    ]:
        image = replace(found.image, reference=reference)
        assert target_imgref(request(tmp_path), image, silent) == expected


def test_the_same_layer_has_the_same_recipe_wherever_it_lies(tmp_path: Path) -> None:
    keys = set()
    for place in ("a", "elsewhere/b"):
        oci.Layout(tmp_path / place / "os").add([oci.bootable()])
        wanted = request(tmp_path, reference=str(tmp_path / place / "os"))
        found = open_layer(wanted, Cache(tmp_path / "cache"), Events())
        recipe = make_recipes(wanted, found, Path("/layer.ociarchive"), "0" * 64)[512]
        assert str(tmp_path) not in str(recipe)
        keys.add(base_key(recipe, found.image.digest, found.tree.digest, wanted.deploy))
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("imgref", "warned"),
    [
        *((f"ostree-unverified-image:{name}@sha256:{'0' * 64}", True) for name in LOCAL.values()),
        (IMGREF, False),
        ("ostree-unverified-registry:quay.io/x/y:z", False),
        (f"ostree-unverified-image:docker://quay.io/x/y@sha256:{'0' * 64}", False),
        ("ostree-unverified-image:oci:/var/lib/updates", False),
    ],
)
def test_an_image_that_finds_no_updates_is_warned_of(imgref: str, warned: bool) -> None:
    said: list[Event] = []

    def note(event: Event) -> None:
        said.append(event)

    warn_of_no_updates(imgref, Events([note]))
    assert [event.level for event in said if isinstance(event, Message)] == ["warning"] * warned
    assert all("--target-imgref" in str(event) for event in said)


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


def declaring(folder: Path, image_json: str, *files: tuple[str, str]) -> LayerFacts:
    """The facts of a layer with these files below /usr/lib/bootc."""
    members = [oci.file(f"usr/lib/bootc/{path}", text.encode()) for path, text in files]
    members += oci.for_bootc()
    oci.Layout(folder / "image").add([oci.bootable(*members, image_json=image_json.encode())])
    return open_layer(request(folder, target_imgref=IMGREF), Cache(folder / "cache"), Events()).facts


INSTALL = ("install/10-a.toml", '[install]\nkargs = ["a", "b=1", "c-d=1"]\n')
KARGS_D = ("kargs.d/10-a.toml", 'kargs = ["e", "a"]\n')
OSTREE = '{"size": 4, "extra-kargs": ["f", "b=1", "b=2", "f"]}'
BOOTC = OSTREE.replace("{", '{"bootc-install-to-fs": true, ')


def test_arguments_are_in_bootc_s_order_each_once(tmp_path: Path) -> None:
    found = declaring(tmp_path, OSTREE, INSTALL, KARGS_D)
    assert kernel_arguments(found) == ("a", "b=1", "c-d=1", "e", "f", "b=2")
    assert recipe_arguments(found) == kernel_arguments(found)
    # The language of the recipes and YAML know no other strings.
    assert {type(each) for each in recipe_arguments(found)} == {str}


def test_bootc_is_not_told_what_it_reads_by_itself(tmp_path: Path) -> None:
    found = declaring(tmp_path, BOOTC, INSTALL, KARGS_D)
    assert recipe_arguments(found) == ("f", "b=2")
    assert kernel_arguments(found) == ("a", "b=1", "c-d=1", "e", "f", "b=2")


@pytest.mark.parametrize("image_json", [OSTREE, BOOTC])
def test_what_bootc_deletes_is_deleted_but_for_what_image_json_adds(image_json: str, tmp_path: Path) -> None:
    deleting = ("install/20-b.toml", '[install]\nkarg-deletes = ["b", "c_d=1", "e=1"]\n')
    found = declaring(tmp_path, image_json, INSTALL, deleting, KARGS_D)
    assert kernel_arguments(found) == ("a", "e", "f", "b=1", "b=2")
    own = ("f", "b=1", "b=2")
    assert recipe_arguments(found) == (own if image_json is BOOTC else ("a", "e", *own))


def test_the_argument_of_the_recipe_itself_is_not_deleted(tmp_path: Path) -> None:
    found = declaring(tmp_path, OSTREE, INSTALL)
    config = replace(found.install_config, karg_deletes=(KernelArgument("rw"),))
    with pytest.raises(BootimgError) as caught:
        bootc_options(replace(found, install_config=config))
    assert caught.value.id == "install-config-unsupported"

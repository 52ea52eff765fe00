"""What the native way puts on the disk for the bootloader, keeps of it, and leaves to the appliance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.bootloaders.bios_grub import BiosImages
from bootimg.disk.native.grubcore import bios_images, core_key, has_core
from bootimg.disk.native.obstacle import native_obstacle
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.manifest.recipe import Ext4, Recipe, Xfs
from tests.support import oci
from tests.unit.disk.test_bootloaders import BOOT_IMAGE, CORE, GRUB, layer
from tests.unit.layer.test_declares import tree_of


def grub(folder: Path, **changes: bytes) -> str:
    """The key of a layer's core image, with files of other content."""
    contents = {"usr/bin/grub2-mkimage": b"", f"{GRUB}/blscfg.mod": b"", f"{GRUB}/boot.img": BOOT_IMAGE}
    names = {"program": "usr/bin/grub2-mkimage", "module": f"{GRUB}/blscfg.mod", "more": f"{GRUB}/xfs.mod",
             "other": "usr/bin/other"}  # fmt: skip
    contents |= {names[name]: content for name, content in changes.items()}
    folder.mkdir()
    return core_key(tree_of(folder, *(oci.file(name, content) for name, content in contents.items())))


def test_the_key_is_of_what_the_image_is_made_from(tmp_path: Path) -> None:
    key = grub(tmp_path / "1")
    assert grub(tmp_path / "2", other=b"another package") == key
    changed = [grub(tmp_path / name, **{name: b"new"}) for name in ("program", "module", "more")]
    assert len({key, *changed}) == 4


def test_a_core_image_is_made_once(tmp_path: Path) -> None:
    tree, cache = layer(tmp_path), Cache(tmp_path / "cache")
    made: list[int] = []

    def make() -> BiosImages:
        made.append(1)
        return BiosImages(BOOT_IMAGE, CORE)

    assert not has_core(tree, cache)
    assert [bios_images(tree, cache, Events(), make) for _ in range(2)] == [BiosImages(BOOT_IMAGE, CORE)] * 2
    assert made == [1]
    assert has_core(tree, cache)


def test_a_layer_without_grub_is_refused_before_the_appliance(tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as error:
        core_key(layer(tmp_path, without=GRUB))
    assert error.value.id == "bootloader-missing"


@pytest.fixture
def recipe() -> Recipe:
    from tests.unit.disk.test_bootloaders import recipe as made

    return made()


def test_the_usual_recipe_needs_no_appliance(recipe: Recipe, tmp_path: Path) -> None:
    assert native_obstacle(recipe, Arch.X86_64, layer(tmp_path)) is None


def test_bootupd_goes_to_the_appliance(recipe: Recipe, tmp_path: Path) -> None:
    tree = layer(tmp_path, bootupd=True)
    assert "bootupd" in (native_obstacle(recipe, Arch.X86_64, tree) or "")
    assert native_obstacle(replace(recipe, bootloader=None), Arch.X86_64, tree) is None


def test_other_recipes_go_to_the_appliance(recipe: Recipe, tmp_path: Path) -> None:
    tree, sysroot = layer(tmp_path), recipe.sysroot
    assert sysroot is not None
    root = next(each for each in recipe.filesystems if isinstance(each, Xfs))
    rest = tuple(each for each in recipe.filesystems if each is not root)
    others = {
        "bootc": replace(recipe, sysroot=None),
        "source epoch": replace(recipe, sysroot=replace(sysroot, source_epoch=None)),
        "another file system": replace(recipe, filesystems=(*rest, Ext4(root.partition, root.uuid))),
        "for /boot": replace(recipe, mounts=tuple(each for each in recipe.mounts if each.target == "/"),
                             filesystems=(root,)),
    }  # fmt: skip
    for expected, changed in others.items():
        assert expected in (native_obstacle(changed, Arch.X86_64, tree) or ""), expected
    assert "bootloader" in (native_obstacle(recipe, Arch.S390X, tree) or "")

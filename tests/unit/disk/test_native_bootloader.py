"""What the native way leaves to the appliance, as far as the recipe shows it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bootimg.arch import Arch
from bootimg.disk.native.obstacle import native_obstacle
from bootimg.manifest.recipe import Ext4, Recipe, Xfs


@pytest.fixture
def recipe() -> Recipe:
    from tests.unit.disk.test_bootloaders import recipe as made

    return made()


def test_the_usual_recipe_needs_no_appliance(recipe: Recipe) -> None:
    assert native_obstacle(recipe, Arch.X86_64) is None


def test_other_recipes_go_to_the_appliance(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    sysroot = recipe.sysroot
    assert sysroot is not None
    root = next(each for each in recipe.filesystems if isinstance(each, Xfs))
    rest = tuple(each for each in recipe.filesystems if each is not root)
    others = {
        "bootc": replace(recipe, sysroot=None),
        "source epoch": replace(recipe, sysroot=replace(sysroot, source_epoch=None)),
        "BIOS boot partition": replace(
            recipe, disk=replace(recipe.disk, partitions=recipe.disk.partitions[1:])
        ),
        "another file system": replace(recipe, filesystems=(*rest, Ext4(root.partition, root.uuid))),
        "for /boot": replace(recipe, mounts=tuple(each for each in recipe.mounts if each.target == "/"),
                             filesystems=(root,)),
    }  # fmt: skip
    for expected, changed in others.items():
        assert expected in (native_obstacle(changed, Arch.X86_64) or ""), expected
    monkeypatch.setattr("bootimg.disk.native.obstacle.BOOTLOADERS", {})
    assert "bootloader" in (native_obstacle(recipe, Arch.S390X) or "")

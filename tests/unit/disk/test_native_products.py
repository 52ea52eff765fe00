"""The products of a bootloader's programs: their keys, and how the cache keeps them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.bootloaders.bootcode import BootCode
from bootimg.disk.native.content import read_content
from bootimg.disk.native.products.bootupd import ByBootupd
from bootimg.disk.native.products.choice import maker_of
from bootimg.disk.native.products.products import Products, StartAppliance
from bootimg.disk.native.products.store import (
    FOLDER,
    has_bootloaders,
    has_products,
    keep_products,
    kept_products,
)
from bootimg.events import Events
from bootimg.housekeeping import kept
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import BiosTarget, Bootupd, Ext4, Recipe
from bootimg.sysroot.entries import Entry, directory, text
from tests.support.layers import oci
from tests.unit.disk.test_bootloaders import BOOTUPD, GRUB, layer, recipe
from tests.unit.layer.test_declares import tree_of

BIOS = Bootupd(static_configs=True, bios=BiosTarget(None))
PRODUCTS = Products(
    boot=(
        directory("grub2", 0o700, 0),
        replace(text("grub2/grub.cfg", b"blscfg\n", 0, 0o600), uid=1, gid=2),
        text("bootupd-state.json", b"{}", 0),
        text("grub2/" + "long" * 40, b"", 0),
    ),
    esp=(directory("EFI", 0o755, 0), text("EFI/a.efi", b"MZ" * 3000, 0)),
    code=BootCode(bytes(range(256)) * 2, b"\x52" * 700),
)


@dataclass
class Maker:
    """Makes the same products each time, and counts."""

    products: Products = PRODUCTS
    key: str = "ab" * 32
    made: list[Path] = field(default_factory=list)

    def make(self, start: StartAppliance, scratch: Path) -> Products:
        self.made.append(scratch)
        return self.products


def start(_: object) -> nullcontext[None]:
    raise AssertionError("no appliance is needed")


def ask(maker: Maker, cache: Cache, tmp_path: Path) -> Products:
    return kept_products(maker, cache, Events(), start, tmp_path)  # type: ignore[arg-type]


def whole(products: Products) -> tuple[list[Entry], list[Entry], object]:
    """The products with their content."""
    both = ([replace(each, content=read_content(each)) for each in entries]
            for entries in (products.boot, products.esp))  # fmt: skip
    boot, esp = both
    return boot, esp, products.code


@pytest.mark.parametrize("products", [PRODUCTS, Products(), Products(code=PRODUCTS.code)])
def test_products_are_made_once_and_come_back_as_they_were(products: Products, tmp_path: Path) -> None:
    maker, cache = Maker(products), Cache(tmp_path / "cache")
    assert not has_products(cache, maker.key)
    assert not has_bootloaders(cache)
    found = [ask(maker, cache, tmp_path) for _ in range(2)]
    assert len(maker.made) == 1
    assert has_products(cache, maker.key)
    assert has_bootloaders(cache)
    for each in found:
        assert whole(each) == whole(products)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-600], lambda data: data.replace(b"blscfg", b"BLSCFG")]
)
def test_damaged_products_are_found_and_made_again(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    maker, cache = Maker(), Cache(tmp_path / "cache")
    ask(maker, cache, tmp_path)
    [path] = (cache.root / FOLDER).iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert not has_products(cache, maker.key)
    assert whole(ask(maker, cache, tmp_path)) == whole(PRODUCTS)
    assert len(maker.made) == 2
    assert [each.name for each in (cache.root / FOLDER).iterdir()] == [path.name]


def test_products_of_another_key_stay_and_housekeeping_knows_each(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    for key in ("cd" * 32, "ef" * 32):
        keep_products(cache, key, PRODUCTS)
    things = [each for each in kept(cache) if each.kind == FOLDER]
    assert len(things) == 2
    assert all(each.size > 6000 for each in things)


def tree(folder: Path, contents: dict[str, bytes], mtime: int = 1_700_000_000) -> Tree:
    folder.mkdir()
    files = [oci.file(name, content, mtime=mtime) for name, content in contents.items()]
    return tree_of(folder, *files, bootloader=False)


LAYER = oci.BOOTLOADER | dict.fromkeys(BOOTUPD, b"")


def bootupd_key(
    folder: Path,
    changes: dict[str, bytes] | None = None,
    changed: Recipe | None = None,
    options: Bootupd = BIOS,
    **fields: int,
) -> str:
    return ByBootupd(changed or recipe(), options, tree(folder, LAYER | (changes or {}), **fields)).key


def test_bootupd_s_key_is_of_what_it_runs_and_copies(tmp_path: Path) -> None:
    key = bootupd_key(tmp_path / "key")
    rest = {"usr/bin/bash": b"new", "usr/lib/modules/6/vmlinuz": b"new", "usr/share/locale/de/x.mo": b""}
    assert bootupd_key(tmp_path / "rest", rest) == key
    inputs = [
        "usr/bin/bootupctl", "usr/lib/bootupd/updates/EFI.json", "usr/lib/bootupd/updates/BIOS.json",
        "usr/lib/bootupd/grub2-static/configs.d/10_blscfg.cfg", f"{oci.EFI_PAYLOAD}/redhat/shimx64.efi",
        "usr/sbin/grub2-install", "usr/bin/grub2-editenv", f"{GRUB}/blscfg.mod", f"{GRUB}/new.mod",
        "usr/share/grub/unicode.pf2", "usr/share/locale/de/LC_MESSAGES/grub.mo", "etc/default/grub",
    ]  # fmt: skip
    keys = {key, *(bootupd_key(tmp_path / str(n), {name: b"new"}) for n, name in enumerate(inputs))}
    assert len(keys) == len(inputs) + 1


def test_the_time_of_bootupd_counts_because_its_state_file_has_it(tmp_path: Path) -> None:
    assert bootupd_key(tmp_path / "1") != bootupd_key(tmp_path / "2", mtime=1_800_000_000)


def test_bootupd_s_key_is_of_the_layout_but_not_of_the_root_s_size(tmp_path: Path) -> None:
    key, found = bootupd_key(tmp_path / "key"), recipe()
    *others, root = found.disk.partitions
    larger = replace(
        found.disk, size=found.disk.size << 1, partitions=(*others, replace(root, size=root.size * 2))
    )
    assert bootupd_key(tmp_path / "root", changed=replace(found, disk=larger)) == key
    first, *rest = found.disk.partitions
    moved = replace(found.disk, partitions=(replace(first, size=first.size - 1), *rest))
    boot = next(each for each in found.filesystems if isinstance(each, Ext4))
    renamed = tuple(replace(each, label="b") if each is boot else each for each in found.filesystems)
    changed = [
        replace(found, disk=moved),
        replace(found, disk=replace(found.disk, sector_size=4096)),
        replace(found, filesystems=renamed),
    ]
    keys = {key, *(bootupd_key(tmp_path / str(n), changed=each) for n, each in enumerate(changed))}
    keys.add(bootupd_key(tmp_path / "options", options=Bootupd(static_configs=True, bios=None)))
    assert len(keys) == 5


def test_what_has_to_be_made(tmp_path: Path) -> None:
    found, own = recipe(), layer(tmp_path)
    (tmp_path / "bootupd").mkdir()
    bootupd = layer(tmp_path / "bootupd", bootupd=True)
    no_bios = replace(found, bootloader=Bootupd(static_configs=True, bios=None))
    here = Arch.of_machine()
    foreign = next(each for each in Arch if each is not here)
    assert maker_of(found, own, here) is None
    assert isinstance(maker_of(no_bios, bootupd, here), ByBootupd)
    assert maker_of(no_bios, bootupd, foreign) is None
    assert maker_of(no_bios, own, here) is None
    assert maker_of(replace(found, bootloader=None), bootupd, here) is None

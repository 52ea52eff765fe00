"""A small layer whose disks are made natively within seconds: its bootloader is in the cache."""

from __future__ import annotations

from pathlib import Path

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.native.products.choice import maker_of
from bootimg.disk.native.products.products import Products
from bootimg.disk.native.products.store import keep_products
from bootimg.events import Events
from bootimg.orchestrator.recipes.prepare import open_layer
from bootimg.orchestrator.recipes.recipes import make_recipes
from bootimg.orchestrator.request import Request
from bootimg.platform import platform
from bootimg.sizes import MIB
from tests.support.layers import oci
from tests.unit.disk.test_native_base import CODE, FILES


def small_layer(folder: Path) -> Path:
    """The archive of the layer, in a new folder."""
    layout = oci.Layout(folder / "image")
    # mkfs.xfs makes no file system under 300 MiB: files of 40 MiB ask for a larger one.
    content = [oci.file(f"usr/share/content/{each}", b"%4d" % each * (MIB // 4)) for each in range(40)]
    layout.add([oci.bootable(), oci.tar(*(oci.file(name, data) for name, data in FILES.items()), *content)])
    return layout.archive(folder / "small.ociarchive")


def keep_bootloader(archive: Path, cache: Cache) -> None:
    """Put code for the BIOS into the cache, for disks of either sector size; it is none that boots."""
    platforms = tuple(platform(name, Arch.X86_64) for name in ("metal", "metal4k"))
    request = Request(reference=str(archive), arch=Arch.X86_64, platforms=platforms, builds=archive.parent)
    layer = open_layer(request, cache, Events())
    for recipe in make_recipes(request, layer, archive, "0" * 64).values():
        maker = maker_of(recipe, layer.tree, request.arch)
        if maker is not None:
            keep_products(cache, maker.key, Products(code=CODE))

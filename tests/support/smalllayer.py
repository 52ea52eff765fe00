"""A small layer whose disks are made natively within seconds: its GRUB's core image is in the cache."""

from __future__ import annotations

from pathlib import Path

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.native.grubcore import FOLDER, core_key
from bootimg.events import Events
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import open_tree
from bootimg.sizes import MIB
from tests.support import oci
from tests.unit.disk.test_bootloaders import CORE
from tests.unit.disk.test_native_base import FILES


def small_layer(folder: Path) -> Path:
    """The archive of the layer, in a new folder."""
    layout = oci.Layout(folder / "image")
    # mkfs.xfs makes no file system under 300 MiB: files of 40 MiB ask for a larger one.
    content = [oci.file(f"usr/share/content/{each}", b"%4d" % each * (MIB // 4)) for each in range(40)]
    layout.add([oci.bootable(), oci.tar(*(oci.file(name, data) for name, data in FILES.items()), *content)])
    return layout.archive(folder / "small.ociarchive")


def keep_core_image(archive: Path, cache: Cache) -> None:
    """Put a core image for the layer's GRUB into the cache; it is none that boots."""
    image = fetch(str(archive), arch=Arch.X86_64, cache=cache, events=Events())
    tree = open_tree(image, cache, Events())
    (cache.folder(FOLDER) / f"{core_key(tree)}.img").write_bytes(CORE)

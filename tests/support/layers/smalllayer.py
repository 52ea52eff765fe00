"""A small layer whose disks are made natively within seconds."""

from __future__ import annotations

from pathlib import Path

from bootimg.sizes import MIB
from tests.support.layers import oci
from tests.unit.disk.test_native_base import FILES


def small_layer(folder: Path) -> Path:
    """The archive of the layer, in a new folder."""
    layout = oci.Layout(folder / "image")
    # mkfs.xfs makes no file system under 300 MiB: files of 40 MiB ask for a larger one.
    content = [oci.file(f"usr/share/content/{each}", b"%4d" % each * (MIB // 4)) for each in range(40)]
    layout.add([oci.bootable(), oci.tar(*(oci.file(name, data) for name, data in FILES.items()), *content)])
    return layout.archive(folder / "small.ociarchive")

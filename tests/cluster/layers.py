"""The layers that the cluster builds, in its registry: their disks are made without a virtual machine."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.sizes import MIB
from tests.cluster.machine.space import Space
from tests.cluster.services.servers import REGISTRY
from tests.layer.small import small_layer
from tests.support import oci
from tests.support.smallindex import EFI
from tests.unit.disk.test_native_base import FILES

ARCHES = (Arch.AARCH64, Arch.PPC64LE)
"""Two architectures whose disks need no program of the layer."""
VERSION, STREAM = "9.6.20261101-0", "rhel-9.6"
"""What the labels of the small layers say."""


def push_small_layers(space: Space, folder: Path) -> str:
    """One list of the small layers of both architectures; returns its name in the registry."""
    layout = oci.Layout(folder / "small")
    images = {arch.oci: _image_of(small_layer(arch), layout) for arch in ARCHES}
    layout.index(images)
    return _push(space, layout, VERSION)


def push_tiny_layer(space: Space, folder: Path, version: str, stream: str) -> str:
    """A layer of aarch64 without programs, whose build takes seconds; returns its name in the registry."""
    layout = oci.Layout(folder / version)
    labels = {**oci.LABELS, "org.opencontainers.image.version": version, "com.coreos.stream": stream}
    loaders = [oci.file(name, data) for name, data in EFI.items()]
    # mkfs.xfs makes no file system under 300 MiB: files of 40 MiB ask for a larger one.
    content = [oci.file(f"usr/share/content/{each}", b"%4d" % each * (MIB // 4)) for each in range(40)]
    files = [oci.file(name, data) for name, data in FILES.items()]
    layers = [oci.bootable(*loaders, bootloader=False), oci.tar(*files, *content)]
    layout.index({Arch.AARCH64.oci: layout.image(layers, labels=labels, arch=Arch.AARCH64.oci)})
    return _push(space, layout, version)


def _image_of(archive: Path, layout: oci.Layout) -> dict[str, Any]:
    """Copy an archive's blobs into the layout; returns the descriptor of its image."""
    with tarfile.open(archive) as source:
        found = json.loads(_content(source, "index.json"))["manifests"]
        for member in source.getmembers():
            if member.isfile() and "blobs/sha256/" in member.name:
                layout.blob(_content(source, member.name))
    (image,) = found
    return {key: image[key] for key in ("mediaType", "digest", "size")}


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


def _push(space: Space, layout: oci.Layout, tag: str) -> str:
    name = f"{REGISTRY}/layers/os:{tag}"
    words = ("copy", "--all", "--quiet", "--insecure-policy", "--dest-tls-verify=false")
    space.run("skopeo", *words, f"oci:{layout.path}", f"docker://{name}", TMPDIR=str(layout.path.parent))
    return name

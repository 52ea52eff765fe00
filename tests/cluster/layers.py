"""The layers that the cluster builds, in its registry: their disks are made without a virtual machine.

Each has files without content under the names of programs and units that a layer of OpenShift must have: the
pipeline verifies what it builds.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.checks.pivot import OSTREE_CONTAINER, PROGRAMS, UNITS
from bootimg.sizes import MIB
from tests.cluster.machine.space import Space
from tests.cluster.services.servers import REGISTRY
from tests.layer.small import small_layer
from tests.support.layers import oci
from tests.support.layers.smallindex import EFI
from tests.unit.disk.test_native_base import FILES

ARCHES = (Arch.AARCH64, Arch.PPC64LE)
"""Two architectures whose disks need no program of the layer."""
VERSION, STREAM = "9.6.20261101-0", "rhel-9.6"
"""What the labels of the small layers say."""
_LAYER = f"{oci.OCI}layer.v1.tar"
_RELEASE = 'ID="rhel"\nNAME="Stand-in"\nPRETTY_NAME="Stand-in"\nVARIANT_ID=coreos\nVERSION_ID="{}"\n'


def push_small_layers(space: Space, folder: Path) -> str:
    """One list of the small layers of both architectures; returns its name in the registry."""
    return _push(space, small_layers(folder), VERSION)


def small_layers(folder: Path) -> oci.Layout:
    """The small layers of both architectures, with what the checks look for, in a new folder."""
    layout = oci.Layout(folder / "small")
    more = oci.tar(*stubs())
    layout.index({arch.oci: _with_layer(layout, small_layer(arch), more) for arch in ARCHES})
    return layout


def push_tiny_layer(space: Space, folder: Path, version: str, stream: str) -> str:
    """A layer of aarch64 without programs, whose build takes seconds; returns its name in the registry."""
    return _push(space, tiny_layer(folder, version, stream), version)


def tiny_layer(folder: Path, version: str, stream: str) -> oci.Layout:
    """The layer in a new folder."""
    layout = oci.Layout(folder / version)
    labels = {**oci.LABELS, "org.opencontainers.image.version": version, "com.coreos.stream": stream}
    release = _RELEASE.format(".".join(version.split(".")[:2])).encode()
    loaders = [oci.file(name, data) for name, data in EFI.items()]
    # mkfs.xfs makes no file system under 300 MiB: files of 40 MiB ask for a larger one.
    content = [oci.file(f"usr/share/content/{each}", b"%4d" % each * (MIB // 4)) for each in range(40)]
    files = [oci.file(name, data) for name, data in {**FILES, "usr/lib/os-release": release}.items()]
    layers = [
        oci.bootable(*loaders, bootloader=False),
        oci.tar(*files, *content, *stubs()),
    ]
    layout.index({Arch.AARCH64.oci: layout.image(layers, labels=labels, arch=Arch.AARCH64.oci)})
    return layout


def stubs() -> list[oci.Member]:
    """Files without content for the checks; ostree itself is in every layer."""
    programs = [f"usr/bin/{name}" for name in PROGRAMS if name != "ostree"]
    units = [f"usr/lib/systemd/system/{name}" for name in UNITS]
    return [*(oci.file(name, b"", 0o755) for name in (*programs, OSTREE_CONTAINER)), *map(oci.file, units)]


def _with_layer(layout: oci.Layout, archive: Path, more: bytes) -> dict[str, Any]:
    """The archive's image in the layout, with one layer more; returns its descriptor."""
    with tarfile.open(archive) as source:
        (image,) = json.loads(_content(source, "index.json"))["manifests"]
        for member in source.getmembers():
            if member.isfile() and "blobs/sha256/" in member.name:
                layout.blob(_content(source, member.name))
    manifest = json.loads(_blob(layout, image["digest"]))
    config = json.loads(_blob(layout, manifest["config"]["digest"]))
    packed = oci.compress(more, "gzip")
    manifest["layers"].append(oci.descriptor(f"{_LAYER}+gzip", layout.blob(packed), packed))
    config["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(more).hexdigest()}")
    config.pop("history", None)
    settings = json.dumps(config).encode()
    manifest["config"] = oci.descriptor(manifest["config"]["mediaType"], layout.blob(settings), settings)
    data = json.dumps(manifest).encode()
    return oci.descriptor(image["mediaType"], layout.blob(data), data)


def _blob(layout: oci.Layout, digest: str) -> bytes:
    return (layout.blobs / digest.removeprefix("sha256:")).read_bytes()


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


def _push(space: Space, layout: oci.Layout, tag: str) -> str:
    name = f"{REGISTRY}/layers/os:{tag}"
    words = ("copy", "--all", "--quiet", "--insecure-policy", "--dest-tls-verify=false")
    space.run("skopeo", *words, f"oci:{layout.path}", f"docker://{name}", TMPDIR=str(layout.path.parent))
    return name

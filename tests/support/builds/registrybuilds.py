"""Builds with small containers and disks for several architectures, to be pushed to registries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from bootimg.arch import Arch
from bootimg.builds.companions import Companion, record_companion
from bootimg.builds.folder import open_build
from bootimg.builds.layout import SIGNATURE, artifact_name, oci_manifest_name, ociarchive_name, sbom_name
from bootimg.builds.meta import image_entry, layer_meta
from bootimg.disk.extents import FileSource
from bootimg.formats import Compressor, Packing, Written, write
from bootimg.formats.ociarchive import write_ociarchive
from bootimg.platform import platforms
from bootimg.sizes import KIB, MIB
from tests.support.disks import make_disk
from tests.support.layers import oci
from tests.unit.builds.test_meta import identity

BUILD = "9.6.20261101-0"
NEWER = "9.6.20261102-0"
BOTH = (Arch.X86_64, Arch.AARCH64)
SIZE = 3 * MIB
DATA = ((0, 64 * KIB + 9), (MIB, MIB))


def make_builds(
    builds: Path, build_id: str = BUILD, arches: Sequence[Arch] = BOTH, flavour: str = ""
) -> dict[Arch, Path]:
    """The folders of a build's architectures, each with an SBOM; another flavour has another layer.

    Images: the layer, qemu (gzip, signed), metal, and on x86_64 kubevirt.
    """
    return {arch: _make(builds, build_id, arch, flavour) for arch in arches}


def _make(builds: Path, build_id: str, arch: Arch, flavour: str) -> Path:
    builds.mkdir(parents=True, exist_ok=True)
    raw = make_disk(builds.parent / f"{build_id}-{arch}.raw", SIZE, DATA)
    known = identity(arch=arch, build_id=build_id, version=build_id)
    with open_build(builds, build_id, arch) as build, FileSource(raw) as source:
        images = {}
        layer, manifest = _layer(build.scratch, build_id, arch, flavour)
        for key, temp, name in (
            ("ostree", layer, ociarchive_name("rhcos", build_id, arch)),
            ("oci-manifest", manifest, oci_manifest_name("rhcos", build_id, arch)),
        ):
            images[key] = image_entry(_written(build.publish(temp, name)), skip_compression=True)
        for platform, disk_format, packing in (
            ("qemu", "qcow2", Packing(Compressor.GZIP, 2)),
            ("metal", "raw", Packing()),
        ):
            name = artifact_name("rhcos", build_id, platform, arch, disk_format) + packing.compressor.suffix
            options = platforms()[platform].format_options
            made = write(disk_format, source, build.scratch / name, options, None, packing)
            build.publish(made.path, name)
            images[platform] = image_entry(made)
        if arch is Arch.X86_64:
            name = artifact_name("rhcos", build_id, "kubevirt", arch, "ociarchive")
            out, labels = build.scratch / name, {"version": build_id}
            made = write_ociarchive(source, out, disk_name="disk.qcow2", arch=arch, labels=labels)
            build.publish(made.path, name)
            images["kubevirt"] = image_entry(made, skip_compression=True)
        build.meta.merge(layer_meta(known))
        build.meta.merge({"images": images})
        _accompany(build.path, build_id, arch)
        build.finish()
        return build.path


def _layer(folder: Path, build_id: str, arch: Arch, flavour: str) -> tuple[Path, Path]:
    layout = oci.Layout(folder / "layer")
    labels = {**oci.LABELS, "org.opencontainers.image.version": build_id}
    content = oci.tar(oci.file("usr/share/arch", f"{arch} {build_id} {flavour}".encode() * 9999))
    found = layout.add([oci.bootable(), content], labels=labels, arch=arch.oci)
    manifest = folder / "manifest.json"
    manifest.write_bytes((layout.blobs / found["digest"].partition(":")[2]).read_bytes())
    return layout.archive(folder / "layer.ociarchive"), manifest


def _accompany(path: Path, build_id: str, arch: Arch) -> None:
    """An SBOM, and a signature of the image for qemu."""
    name, data = sbom_name("rhcos", build_id, arch), json.dumps({"spdxVersion": "SPDX-2.3"}).encode()
    (path / name).write_bytes(data)
    record_companion(path, "sbom", Companion(name, hashlib.sha256(data).hexdigest(), len(data)))
    qemu = path / artifact_name("rhcos", build_id, "qemu", arch, "qcow2.gz")
    qemu.with_name(qemu.name + SIGNATURE).write_bytes(b"a signature")


def _written(path: Path) -> Written:
    data = path.read_bytes()
    return Written(path, len(data), hashlib.sha256(data).hexdigest())

"""The form `plain`: the two trees become the layers of an OCI archive."""

from __future__ import annotations

import tarfile
from datetime import UTC, datetime
from pathlib import Path

from tests.layer.content import CHANGED_PACKAGE, Content
from tests.layer.oci import Blob, Compression, write_archive, write_layer
from tests.layer.recipe import SOURCE_DATE_EPOCH, Request, Variant
from tests.layer.tree import Change, Tree, difference, read_tree, select

# RFC 3339, as OCI wants it.
CREATED = datetime.fromtimestamp(SOURCE_DATE_EPOCH, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

_KERNEL_LAYER = ("usr/lib/modules", "usr/lib/grub", "usr/lib/efi")
_NEVER = ("boot", "dev", "proc", "run", "sys", "tmp", "var")


def pack(request: Request, content: Content, packages: Path, blobs: Path, output: Path) -> None:
    """Write the archive; `packages` is the tar file of Debian's packages, the lowest layer."""
    with tarfile.open(packages) as archive:
        layers = _layers(request, content, read_tree(archive, _in_base_layer), blobs)
    write_archive(layers, content.labels(request), CREATED, blobs, output, request.arch)


def _in_base_layer(path: str) -> bool:
    top = path.partition("/")[0]
    return (top not in _NEVER or path == top) and not _in_kernel_layer(path)


def _in_kernel_layer(path: str) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in _KERNEL_LAYER)


def _layers(request: Request, content: Content, lower: Tree, blobs: Path) -> list[Blob]:
    """Debian's packages; kernel, initramfs and bootloader; what CoreOS changes; and the `changed` package."""
    complete = content.base(request)
    base = Change(lower)
    kernel = difference({}, select(complete, _in_kernel_layer))
    config = difference(kernel.apply(lower), complete)
    layers = [
        write_layer(base, Compression.GZIP, blobs, "packages"),
        write_layer(kernel, Compression.ZSTD, blobs, "kernel and bootloader"),
        write_layer(config, Compression.GZIP, blobs, "CoreOS"),
    ]
    if request.variant is Variant.CHANGED:
        change = difference(complete, content.complete(request))
        layers.append(write_layer(change, Compression.ZSTD, blobs, f"new build of {CHANGED_PACKAGE}"))
    return layers

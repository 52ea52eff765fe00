"""A container image of any kind, copied by skopeo into an OCI archive.

skopeo's own archives have the user's number and the time of the copy in them.  So it writes a directory,
and the archive of that is ours: the same image gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.layer.fetching.ocilayout import inspect_layout
from bootimg.layer.fetching.skopeo import RegistryOptions, check_version, scratch, skopeo
from bootimg.layer.image.blobs import file_chunks, replacing
from bootimg.layer.image.fetched import Image
from bootimg.layer.image.reference import Reference, Transport, parse_reference
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tar.tarwriter import member
from bootimg.tarstream import END, padding
from bootimg.untrusted.budget import Budget

_TIMEOUT = 3600.0
_NAME = "image"


def copy_archive(reference: str, arch: Arch, out: Path, cache: Cache, registry: RegistryOptions) -> Image:
    """Write the image for `arch` that `reference` names to the archive `out`, which does not exist yet.

    It need not be bootable.  `layer-arch-mismatch` if it is for another architecture, and skopeo's errors.
    """
    source = parse_reference(reference)
    check_version()
    options = registry.arguments("src-") if source.transport is Transport.REGISTRY else []
    with scratch(cache) as folder:
        words = ["--override-os", "linux", "--override-arch", arch.oci, "copy", "--quiet",
                 "--remove-signatures", "--retry-times", "3", *options, _named(source, folder),
                 f"oci:{_NAME}"]  # fmt: skip
        skopeo(words, str(source), scratch=folder, timeout=_TIMEOUT, cwd=folder)
        with replacing(out) as target:
            target.writelines(_pieces(folder / _NAME))
    return inspect_layout(Reference(Transport.ARCHIVE, str(out)), str(source), arch, Budget())


def _pieces(layout: Path) -> Iterator[bytes]:
    for path in sorted(layout.rglob("*")):
        name = path.relative_to(layout).as_posix()
        if path.is_dir():
            yield member(Entry(name, Kind.DIRECTORY, 0o755, 0, 0))
            continue
        size = path.stat().st_size
        yield member(Entry(name, Kind.FILE, 0o644, 0, 0, size))
        with path.open("rb") as handle:
            yield from file_chunks(handle)
        yield padding(size)
    yield END


def _named(source: Reference, folder: Path) -> str:
    """The reference for skopeo; a local path by a name in `folder`, for it may have a colon."""
    if source.transport in (Transport.REGISTRY, Transport.STORAGE):
        return str(source)
    (folder / "source").symlink_to(Path(source.name).absolute())
    return str(replace(source, name="source"))

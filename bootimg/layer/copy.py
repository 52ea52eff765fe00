"""A container image of any kind, copied by skopeo into an OCI archive."""

from __future__ import annotations

from pathlib import Path

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.layer.image import Image
from bootimg.layer.layout import inspect_layout
from bootimg.layer.reference import Reference, Transport, parse_reference
from bootimg.layer.skopeo import RegistryOptions, check_version, scratch, skopeo

_TIMEOUT = 3600.0


def copy_archive(reference: str, arch: Arch, out: Path, cache: Cache, registry: RegistryOptions) -> Image:
    """Write the image for `arch` that `reference` names to the archive `out`, which does not exist yet.

    It need not be bootable.  `layer-arch-mismatch` if it is for another architecture, and skopeo's errors.
    """
    source = parse_reference(reference)
    check_version()
    options = registry.arguments("src-") if source.transport is Transport.REGISTRY else []
    words = ["--override-os", "linux", "--override-arch", arch.oci, "copy", "--quiet", "--remove-signatures",
             "--retry-times", "3", *options, str(source), f"oci-archive:{out}"]  # fmt: skip
    with scratch(cache) as folder:
        skopeo(words, str(source), scratch=folder, timeout=_TIMEOUT)
    return inspect_layout(Reference(Transport.ARCHIVE, str(out)), str(source), arch)

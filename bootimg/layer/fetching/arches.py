"""The architectures that an image is there for."""

from __future__ import annotations

from collections.abc import Sequence

from bootimg.arch import Arch
from bootimg.atomic import temporary_folder
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.fetching.ocilayout import layout_architectures
from bootimg.layer.fetching.registrydocuments import RegistryDocuments
from bootimg.layer.fetching.skopeo import RegistryOptions, check_version
from bootimg.layer.fetching.storage import storage_architecture
from bootimg.layer.image.fetched import arch_mismatch
from bootimg.layer.image.reference import Transport, parse_reference
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limits import DEFAULT, Limits

_DEFAULT = RegistryOptions()


def architectures_of(
    reference: str, registry: RegistryOptions = _DEFAULT, limits: Limits = DEFAULT
) -> tuple[str, ...]:
    """The OCI names of the architectures; no layer is read, and nothing is kept.

    Raises the errors of a reference and of what it names.
    """
    source = parse_reference(reference)
    if source.transport not in (Transport.REGISTRY, Transport.STORAGE):
        return layout_architectures(source, str(source), Budget(limits))
    check_version()
    with temporary_folder("bootimg-inspect-") as folder:
        if source.transport is Transport.STORAGE:
            return (storage_architecture(source, folder),)
        return RegistryDocuments(source, registry, folder).architectures()


def pinned(reference: str, registry: RegistryOptions = _DEFAULT) -> str:
    """The reference by the digest of what it names now, all architectures; as it is outside of registries."""
    source = parse_reference(reference)
    if source.transport is not Transport.REGISTRY:
        return reference
    check_version()
    with temporary_folder("bootimg-inspect-") as folder:
        return f"docker://{source.repository}@{RegistryDocuments(source, registry, folder).digest()}"


def require_arches(reference: str, wanted: Sequence[Arch], there: Sequence[str]) -> tuple[Arch, ...]:
    """Those of `there` that bootimg knows; `layer-arch-mismatch` if one of `wanted` is not among them.

    `there` has OCI names.  Without `wanted` there must be any.
    """
    known = tuple(arch for arch in Arch if arch.oci in there)
    for arch in wanted:
        if arch not in known:
            raise arch_mismatch(reference, arch, there)
    if not known:
        raise BootimgError(
            "layer-arch-mismatch",
            f"{reference} is for no architecture that bootimg knows",
            context=[f"it is for {', '.join(there)[:500] or 'nothing that runs Linux'}"],
            hint=f"bootimg knows {', '.join(Arch)}",
            exit_code=ExitCode.USAGE,
        )
    return known

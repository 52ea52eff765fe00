"""Choosing a manifest of an index by tag and architecture, and checking that its image is usable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.image.encapsulation import encapsulation
from bootimg.layer.image.fetched import INDEXES, Image, arch_mismatch, malformed_image, parse_document
from bootimg.layer.image.reference import not_found
from bootimg.printable import shown
from bootimg.untrusted.node import Fields

REF_NAME = "org.opencontainers.image.ref.name"
_MAX_NESTING = 4
_TRUE = ("1", "true")

Descriptor = Mapping[str, Any]
Check = Callable[[Image], None]
"""Refuses an image by its manifest and config."""


def descriptors(index: bytes) -> list[Descriptor]:
    """The manifests an index lists."""
    return [_descriptor(each.fields()) for each in parse_document(index, "index").needed("manifests").items()]


def _descriptor(fields: Fields) -> Descriptor:
    fields.required("digest", str)
    fields.nested("annotations")
    fields.nested("platform")
    return fields.values


def by_tag(found: Sequence[Descriptor], tag: str | None, reference: str) -> Sequence[Descriptor]:
    """The manifests of an index.json that carry the tag.

    Without a tag, all of them; `layer-tag-needed` if there are several and not all declare a platform.
    """
    tags = [str((item.get("annotations") or {}).get(REF_NAME, "")) for item in found]
    if tag:
        chosen = [item for item, name in zip(found, tags, strict=True) if name == tag]
        if not chosen:
            raise not_found(reference, f"its tags are: {', '.join(filter(None, tags))[:500] or 'none'}")
        return chosen
    if len(found) > 1 and not all(item.get("platform") for item in found):
        raise BootimgError(
            "layer-tag-needed",
            f"{reference} holds {len(found)} images",
            context=[f"tags: {', '.join(filter(None, tags))[:500] or 'none'}"],
            hint="name one: oci-archive:FILE:TAG or oci:DIR:TAG",
            exit_code=ExitCode.USAGE,
        )
    return found


def by_arch(found: Sequence[Descriptor], arch: Arch, reference: str) -> Descriptor:
    """The manifest for `arch`; a single manifest that declares no platform is for every architecture."""
    if len(found) == 1 and not found[0].get("platform"):
        return found[0]
    images = list(_images_for_linux(found))
    for name, item in images:
        if name == arch.oci:
            return item
    raise arch_mismatch(reference, arch, [str(name) for name, _ in images])


def _images_for_linux(found: Sequence[Descriptor]) -> Iterator[tuple[object, Descriptor]]:
    """The container images for Linux, each after the name of its architecture."""
    for item in found:
        platform = item.get("platform") or {}
        # Indexes also list disk images and attestations, which are not container images.
        if not item.get("artifactType") and platform.get("os", "linux") == "linux":
            yield platform.get("architecture"), item


def architectures(
    found: Sequence[Descriptor], read: Callable[[Descriptor], bytes], config: Callable[[bytes], bytes]
) -> tuple[str, ...]:
    """The OCI names of the architectures that the manifests of an index are for.

    A manifest that is alone and declares no platform is read: it is an index, or an image whose config has
    the name.  `config` returns the config of an image's manifest.
    """
    for _ in range(_MAX_NESTING):
        if len(found) != 1 or found[0].get("platform"):
            return tuple(dict.fromkeys(str(name) for name, _ in _images_for_linux(found) if name))
        data = read(found[0])
        if not is_index(data):
            return (architecture_of(config(data)),)
        found = descriptors(data)
    raise malformed_image("its indexes are nested too deep")


def architecture_of(config: bytes) -> str:
    """The OCI name of the architecture that a config declares."""
    return parse_document(config, "config").required("architecture", str)


def instance(
    found: Sequence[Descriptor], arch: Arch, reference: str, read: Callable[[Descriptor], bytes]
) -> bytes:
    """The image manifest for `arch`, through indexes inside of indexes."""
    for _ in range(_MAX_NESTING):
        data = read(by_arch(found, arch, reference))
        if not is_index(data):
            return data
        found = descriptors(data)
    raise malformed_image("its indexes are nested too deep")


def is_index(manifest: bytes) -> bool:
    """Whether a manifest is an index (OCI) or a manifest list (Docker)."""
    document = parse_document(manifest, "manifest").values
    return document.get("mediaType") in INDEXES or ("manifests" in document and "layers" not in document)


def check_usable(image: Image) -> None:
    """Refuse an image that no disk can be made from.  This needs no layer."""
    labels = image.labels
    if labels.get("containers.bootc") not in _TRUE and labels.get("ostree.bootable") not in _TRUE:
        raise _not_bootable(image)
    if not image.layers:
        raise malformed_image("it has no layers")
    encapsulation(image)


def _not_bootable(image: Image) -> BootimgError:
    settings = parse_document(image.config, "config").nested("config").values
    words = settings.get("Entrypoint") or settings.get("Cmd")
    program = words[0] if isinstance(words, list) else None
    return BootimgError(
        "layer-not-bootable",
        f"{image.reference} carries neither label containers.bootc=1 nor ostree.bootable=1",
        note=f"it looks like an application image (it starts {shown(program)})" if program else None,
        hint="boot images are made from a bootable layer such as quay.io/fedora/fedora-coreos:stable",
        exit_code=ExitCode.USAGE,
    )

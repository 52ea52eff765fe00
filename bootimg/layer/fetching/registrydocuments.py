"""The manifests and the config of an image in a registry, as skopeo reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bootimg.arch import Arch
from bootimg.layer.fetching.skopeo import RegistryOptions, skopeo
from bootimg.layer.image.blobs import verified
from bootimg.layer.image.fetched import config_digest_of, digest_of, hex_of
from bootimg.layer.image.manifestchoice import (
    Descriptor,
    architecture_of,
    architectures,
    descriptors,
    instance,
    is_index,
)
from bootimg.layer.image.reference import Reference

_TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class RegistryDocuments:
    """Reads the documents, each verified by its digest; skopeo's temporary files go below `folder`."""

    source: Reference
    options: RegistryOptions
    folder: Path

    def manifest(self, arch: Arch) -> bytes:
        """The manifest of the image for an architecture."""
        manifest = self._named()
        if is_index(manifest):
            return instance(descriptors(manifest), arch, str(self.source), self._child)
        return manifest

    def digest(self) -> str:
        """The digest of the manifest or index that the reference itself names."""
        return digest_of(self._named())

    def config(self, manifest: bytes) -> bytes:
        """The config that a manifest names."""
        pinned = f"{self.source.repository}@{digest_of(manifest)}"
        return verified(config_digest_of(manifest), self._inspect(pinned, "--config"))

    def architectures(self) -> tuple[str, ...]:
        """The OCI names of the architectures that there are images for."""
        named = self._named()
        if not is_index(named):
            return (architecture_of(self.config(named)),)
        return architectures(descriptors(named), self._child, self.config)

    def _named(self) -> bytes:
        """The manifest or index that the reference itself names."""
        manifest = self._inspect(self.source.name)
        if "@" in self.source.name:
            verified(self.source.name.rpartition("@")[2], manifest)
        return manifest

    def _child(self, descriptor: Descriptor) -> bytes:
        digest = f"sha256:{hex_of(descriptor['digest'])}"
        return verified(digest, self._inspect(f"{self.source.repository}@{digest}"))

    def _inspect(self, name: str, *options: str) -> bytes:
        words = ["inspect", "--raw", *options, *self.options.arguments(), f"docker://{name}"]
        return skopeo(words, str(self.source), scratch=self.folder, timeout=_TIMEOUT)

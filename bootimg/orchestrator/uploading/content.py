"""The disk of a build's artifact: from the base disk in the cache, else from the artifact itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bootimg.atomic import temporary_folder
from bootimg.builds.compressed import skips_compression, uncompressed_name
from bootimg.builds.find import Build, digest_of, require_digest
from bootimg.cache import Cache
from bootimg.disk.extents import FileSource, Source
from bootimg.formats import Written
from bootimg.formats.compression.decompress import compressor_of
from bootimg.formats.compression.unpack import unpack
from bootimg.formats.compression.writer import Compressor
from bootimg.formats.vpc import as_vpc
from bootimg.orchestrator.artifacts.origin import find_origin
from bootimg.platform import Platform
from bootimg.untrusted.limits import DEFAULT, Limits
from bootimg.vm.diskimage import open_image
from bootimg.vm.imagetool import copy_range, virtual_size

_PREFIX = "bootimg-upload-"


@dataclass(frozen=True)
class ArtifactContent:
    """The content of one platform's artifact; the fields are those of the build and its entry."""

    build: Build
    platform: Platform
    cache: Cache
    limits: Limits = DEFAULT

    @property
    def sha256(self) -> str:
        """The digest of the uncompressed artifact."""
        return str(self._entry.get("uncompressed-sha256") or self._entry["sha256"])

    @property
    def name(self) -> str:
        """The file name of the uncompressed artifact."""
        return uncompressed_name(self.platform, self._entry) or str(self._entry["path"])

    @contextmanager
    def disk(self) -> Iterator[Source]:
        """The raw disk: `artifact-missing` or `artifact-damaged` if neither the cache nor the file has it."""
        cached = find_origin(self.cache, self.sha256)
        if cached is not None:
            with cached:
                yield cached
            return
        with self.file() as path, temporary_folder(_PREFIX) as folder:
            raw = path
            if self.platform.disk_format != "raw":
                image, raw = open_image(path, self.platform.disk_format), folder / "disk.raw"
                copy_range(image, 0, virtual_size(image), raw, inside=False)
            with FileSource(raw) as source:
                yield source

    @contextmanager
    def file(self) -> Iterator[Path]:
        """The uncompressed artifact, its digests checked."""
        path = self.build.artifact(self.platform.image_key)
        if self._is_whole(path):
            require_digest(path, "sha256", self._entry["sha256"], digest_of(path))
            yield path
            return
        with temporary_folder(_PREFIX) as folder:
            need = self._entry.get("uncompressed-size")
            unpack(path, folder / self.name, check=self._check, need=need, limits=self.limits)
            yield folder / self.name

    @contextmanager
    def artifact(self) -> Iterator[Source]:
        """The bytes of the uncompressed artifact; of a VHD also without its file."""
        cached = find_origin(self.cache, self.sha256) if self.platform.disk_format == "vpc" else None
        if cached is not None:
            with cached:
                image, sha256 = as_vpc(cached)
                # An artifact of another writer has another footer.
                if sha256 == self.sha256:
                    yield image
                    return
        with self.file() as path, FileSource(path) as source:
            yield source

    def _is_whole(self, path: Path) -> bool:
        """Whether there is no compressor to remove; that of the platform's own format belongs to the file."""
        if compressor_of(path) is Compressor.NONE or skips_compression(self._entry):
            return True
        return self.platform.skip_compression and uncompressed_name(self.platform, self._entry) is None

    def _check(self, found: Written) -> None:
        path = self.build.artifact(self.platform.image_key)
        require_digest(path, "sha256", self._entry["sha256"], found.sha256)
        key = "uncompressed-sha256"
        require_digest(path, key, str(self._entry.get(key)), found.uncompressed_sha256)

    @cached_property
    def _entry(self) -> Mapping[str, Any]:
        # Without an entry, this tells what the build has.
        self.build.images.get(self.platform.image_key) or self.build.artifact(self.platform.image_key)
        return self.build.images[self.platform.image_key]

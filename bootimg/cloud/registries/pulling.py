"""Gets a disk back from a registry; an interrupted pull continues."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bootimg.atomic import require_space, temporary_folder
from bootimg.builds.find import digest_of
from bootimg.cloud.registries.attachments import Attachment, attachments, write_attachment
from bootimg.cloud.registries.blobrest import BlobSource
from bootimg.cloud.registries.diskartifact import Choice, DiskArtifact, find_disk
from bootimg.cloud.registries.diskrefusals import damaged, invalid
from bootimg.cloud.registries.partfile import part_size
from bootimg.cloud.registries.receiving import Transfer, passing_failures, receive
from bootimg.cloud.registries.referring import Referring
from bootimg.cloud.retry import Retry
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.fetching.skopeo import RegistryOptions, check_version, skopeo
from bootimg.layer.image.fetched import digest_of as digest_of_bytes
from bootimg.layer.image.imagename import invalid_reference
from bootimg.layer.image.reference import Reference, Transport, parse_reference

_INSPECT_TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class Pulled:
    """The file of a disk, and those beside it; `cached` if it was there, `written` those that were not."""

    disk: DiskArtifact
    file: Path
    cached: bool
    beside: tuple[Attachment, ...] = ()
    written: frozenset[Path] = frozenset()


@dataclass(frozen=True, slots=True)
class Pulling:
    """A pull: from where, which disk, and how long a failing call is repeated."""

    reference: str
    choice: Choice
    options: RegistryOptions
    retry: Retry

    def find(self) -> DiskArtifact:
        """The disk, by its manifests alone."""
        check_version()
        source = self._source
        data = self._manifest(source.name)
        _, at, digest = source.name.partition("@")
        if at and digest_of_bytes(data) != digest:
            raise damaged(self.reference, f"the manifest {digest}", digest_of_bytes(data))
        return find_disk(
            self.reference, data, self.choice, lambda found: self._manifest(f"{source.repository}@{found}")
        )

    def pull(self, disk: DiskArtifact, output: Path | None, *, force: bool, beside: bool = True) -> Pulled:
        """Write the disk to `output`, or under its own name into that folder, or here.

        With `beside` its SBOM and signature too, where it has them.  Errors: `pull-file-exists`,
        `pull-running`, `disk-artifact-damaged`, `disk-artifact-invalid`, `no-space-left`.
        """
        path = self._path(disk, output)
        found = self._beside(disk, path) if beside else []
        missing = [each for each in found if not each.is_here]
        for each in missing:
            if each.path.exists() and not force:
                raise _exists(each.path)
        pulled = self._pull(disk, path, force=force)
        for each in missing:
            what = f"pulling {each.path.name}"
            self.retry.call(what, partial(write_attachment, each, self.reference, self._source.repository,
                                          self.options))  # fmt: skip
        return replace(pulled, beside=tuple(found), written=frozenset(each.path for each in missing))

    def _pull(self, disk: DiskArtifact, path: Path, *, force: bool) -> Pulled:
        if path.exists() and not force:
            if path.is_file() and path.stat().st_size == disk.size and _has(path, disk):
                return Pulled(disk, path, cached=True)
            raise _exists(path)
        require_space(path.parent, disk.size - part_size(path, disk.digest))
        transfer = self._transfer(disk)
        with self.retry.events.step("pull", f"Pulling {path.name}", total=disk.size) as step:
            self.retry.call(f"pulling {self.reference}", lambda: receive(transfer, path, step))
            step.result(disk.digest)
        return Pulled(disk, path, cached=False)

    def _beside(self, disk: DiskArtifact, path: Path) -> list[Attachment]:
        repository = self._source.repository
        listed = Referring(repository, self.options, self.retry).of(disk.manifest, self._manifest)
        by_path = attachments(
            self.reference, disk, path, listed, lambda digest: self._manifest(f"{repository}@{digest}")
        )
        for place, found in by_path.items():
            if len(found) > 1:
                text = f"{self.reference} has {len(found)} different files {place.name}: none is pulled"
                self.retry.events.message(text, "warning")
        return [found[0] for found in by_path.values() if len(found) == 1]

    @property
    def _source(self) -> Reference:
        source = parse_reference(self.reference)
        if source.transport is not Transport.REGISTRY:
            raise invalid_reference("disks are pulled from registries alone")
        return source

    def _manifest(self, name: str) -> bytes:
        words = ["inspect", "--raw", *self.options.arguments(), f"docker://{name}"]

        def read() -> bytes:
            with temporary_folder("bootimg-pull-") as folder, passing_failures():
                return skopeo(words, name, scratch=folder, timeout=_INSPECT_TIMEOUT)

        return self.retry.call(f"reading {name}", read)

    def _transfer(self, disk: DiskArtifact) -> Transfer:
        repository = self._source.repository
        source, pinned = BlobSource(repository, self.options), f"{repository}@{disk.manifest}"
        return Transfer(self.reference, pinned, disk, self.choice, self.options, source, self.retry.stop)

    def _path(self, disk: DiskArtifact, output: Path | None) -> Path:
        if output is not None and not output.is_dir():
            return output
        if disk.name is None:
            raise invalid(self.reference, "its name cannot be a file's: name the file with --output")
        return (output or Path()) / disk.name


def _has(path: Path, disk: DiskArtifact) -> bool:
    return f"sha256:{digest_of(path)}" == disk.digest


def _exists(path: Path) -> BootimgError:
    return BootimgError(
        "pull-file-exists",
        f"{path} exists, and is not what would be pulled",
        hint="name another file with --output, or replace it with --force",
        exit_code=ExitCode.USAGE,
    )

"""The input of metadata: the parts of meta.json that describe the built files and the uploads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bootimg.arch import Arch
from bootimg.builds.names import is_plain_name
from bootimg.builds.record import NOTHING, RECORD, Record
from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import printable
from bootimg.streams.metadata.codec import Reader
from bootimg.streams.metadata.gojson import Json

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltFile:
    """An entry of `images`."""

    path: str
    sha256: str
    size: int | None = None
    uncompressed_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class _Git:
    branch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildMeta:
    """The keys that describe a build of one architecture."""

    buildid: str
    name: str
    basearch: str = field(metadata={"key": "coreos-assembler.basearch"})
    images: Mapping[str, BuiltFile]
    ostree_commit: str
    oci_imported: bool | None = field(default=None, metadata={"key": "coreos-assembler.oci-imported"})
    labels: Mapping[str, str] = field(
        default_factory=dict, metadata={"key": "coreos-assembler.oci-imported-labels"}
    )
    config: _Git | None = field(default=None, metadata={"key": "coreos-assembler.container-config-git"})

    @property
    def arch(self) -> Arch:
        """The architecture; `arch-unknown` if bootimg does not know it."""
        return Arch.parse(self.basearch)

    @property
    def stream(self) -> str | None:
        """The stream from the layer's label, else the branch of coreos-assembler's configuration."""
        return self.labels.get("com.coreos.stream") or (self.config.branch if self.config else None)

    def file_named(self, path: str) -> BuiltFile | None:
        """The entry whose file has that name."""
        return next((each for each in self.images.values() if each.path == path), None)


@dataclass(frozen=True, slots=True)
class Built:
    """A build of one architecture: its keys, and the whole object, which also has the uploads.

    `record` is the content of bootimg.json beside its meta.json.
    """

    meta: BuildMeta
    tree: Json
    name: str
    record: Record = NOTHING

    @property
    def reader(self) -> Reader:
        """A reader for the rest of the object."""
        return Reader(self.name)


def built(tree: Json, name: str, record: Record = NOTHING) -> Built:
    """The build that a meta.json describes; `stream-malformed` if it cannot be published."""
    reader = Reader(name)
    meta = reader.read(BuildMeta, tree)
    for key, each in meta.images.items():
        if not is_plain_name(each.path):
            raise reader.error(f"images.{key}.path", f"is not a file name: {each.path!r:.80}")
        for digest in (each.sha256, each.uncompressed_sha256):
            if digest is not None and not _SHA256.fullmatch(digest):
                raise reader.error(f"images.{key}", f"has no SHA-256 in hex: {digest!r:.80}")
    if not is_plain_name(meta.buildid):
        raise reader.error("buildid", f"cannot be part of a URL: {meta.buildid!r:.80}")
    return Built(meta, tree, name, record)


def refuse_skipped(build: Built) -> None:
    """`stream-disk-images-skipped` for a build whose stream skips disk images."""
    reason, meta = build.record.skip_reason, build.meta
    if reason is None:
        return
    raise BootimgError(
        "stream-disk-images-skipped",
        f"build {meta.buildid} ({meta.basearch}) has no stream metadata: its stream skips disk images",
        context=[f"the reason in {RECORD} beside its meta.json: {printable(reason)}"],
        hint="use a build of a stream without `skip_disk_images` (--skip-disk-images,"
        " BOOTIMG_SKIP_DISK_IMAGES)",
        exit_code=ExitCode.USAGE,
    )

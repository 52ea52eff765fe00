"""Writing an OCI archive: layers, config, manifest, all by their digests."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import zstandard

from bootimg.arch import Arch
from tests.layer.recipe import SOURCE_DATE_EPOCH
from tests.layer.tree import Change, write_change

OCI = "application/vnd.oci.image"


class Compression(StrEnum):
    """How a layer's tar is compressed; the value ends its media type."""

    GZIP = "gzip"
    ZSTD = "zstd"


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def _compressor(compression: Compression) -> _Compressor:
    if compression is Compression.ZSTD:
        return zstandard.ZstdCompressor(level=3, write_checksum=True).compressobj()
    return zlib.compressobj(level=4, wbits=31)


@dataclass(frozen=True, slots=True)
class Blob:
    """A layer in the blob directory; `diff_id` is the digest of its tar."""

    digest: str
    size: int
    media_type: str
    diff_id: str
    comment: str


class _Writer(io.RawIOBase):
    """Takes a tar, writes it compressed, takes both digests on the way."""

    def __init__(self, output: io.BufferedWriter, compression: Compression) -> None:
        self._output = output
        self._compressor = _compressor(compression)
        self.plain, self.packed = hashlib.sha256(), hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.plain.update(data)
        self._emit(self._compressor.compress(bytes(data)))
        return len(data)

    def finish(self) -> None:
        """Write what the compressor still holds."""
        self._emit(self._compressor.flush())

    def _emit(self, data: bytes) -> None:
        self.packed.update(data)
        self._output.write(data)


def write_layer(change: Change, compression: Compression, blobs: Path, comment: str) -> Blob:
    """Write one layer into the folder `blobs`, under its digest's hex."""
    temporary = blobs / "layer.tmp"
    with temporary.open("wb") as output:
        writer = _Writer(output, compression)
        with tarfile.open(fileobj=writer, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 20) as archive:
            write_change(change, archive)
        writer.finish()
    digest = writer.packed.hexdigest()
    size = temporary.stat().st_size
    temporary.rename(blobs / digest)
    media_type = f"{OCI}.layer.v1.tar+{compression}"
    return Blob(f"sha256:{digest}", size, media_type, f"sha256:{writer.plain.hexdigest()}", comment)


def write_archive(
    layers: Sequence[Blob],
    labels: Mapping[str, str],
    created: str,
    blobs: Path,
    output: Path,
    arch: Arch = Arch.X86_64,
) -> None:
    """Write config and manifest beside the layers, then all as an OCI archive; `created` is RFC 3339."""
    config = {
        "architecture": arch.oci,
        "os": "linux",
        "created": created,
        "config": {"Labels": dict(sorted(labels.items())), "Cmd": ["/sbin/init"]},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [{"created": created, "created_by": layer.comment} for layer in layers],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": json_blob(config, f"{OCI}.config.v1+json", blobs),
        "layers": [descriptor(layer) for layer in layers],
    }
    write_manifest(manifest, blobs, output)


def pack_directory(directory: Path, output: Path) -> None:
    """Write an OCI directory with one image as an OCI archive."""
    described, _ = read_manifest(directory)
    _pack_archive(described, directory / "blobs/sha256", output)


def read_manifest(directory: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The descriptor of an OCI directory's one manifest, and the manifest."""
    (described,) = json.loads((directory / "index.json").read_text())["manifests"]
    return described, json.loads(blob(directory, described).read_bytes())


def blob(directory: Path, descriptor: Mapping[str, Any]) -> Path:
    """The file that a descriptor names."""
    return directory / "blobs/sha256" / str(descriptor["digest"]).removeprefix("sha256:")


def descriptor(layer: Blob) -> dict[str, object]:
    """The entry of a layer in a manifest."""
    return {"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size}


def write_manifest(manifest: Mapping[str, object], blobs: Path, output: Path) -> None:
    """Write a manifest beside the blobs it names, then all as an OCI archive."""
    _pack_archive(json_blob(manifest, f"{OCI}.manifest.v1+json", blobs), blobs, output)


def _pack_archive(descriptor: Mapping[str, object], blobs: Path, output: Path) -> None:
    index = {"schemaVersion": 2, "manifests": [descriptor]}
    with tarfile.open(output, "w", format=tarfile.PAX_FORMAT) as archive:
        _add_bytes(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add_bytes(archive, "index.json", json.dumps(index).encode())
        for path in sorted(blobs.iterdir()):
            archive.add(path, f"blobs/sha256/{path.name}", filter=_anonymous)


def json_blob(document: object, media_type: str, blobs: Path) -> dict[str, object]:
    """Write a document as a blob; returns its descriptor."""
    data = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(_anonymous(info), io.BytesIO(data))


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.mtime, info.uid, info.gid, info.uname, info.gname = SOURCE_DATE_EPOCH, 0, 0, "", ""
    info.mode = 0o644
    return info

"""An OCI archive of one layer with a qcow2 in /disk: KubeVirt's containerDisk.

It is a tar of an OCI image layout (OCI image specification 1.0).  A blob's name is its digest, so the
layer waits in a file without a name until it is compressed.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bootimg.arch import Arch
from bootimg.atomic import enough_space
from bootimg.disk.extents import Source
from bootimg.events import Step
from bootimg.formats.compression.gzipwrite import GzipCodec
from bootimg.formats.compression.writer import CompressedFile, Packing, open_output
from bootimg.formats.output import Digest, DigestingFile, ReadingProgress, Sink, Written, data_length
from bootimg.formats.ova.archive import copy_file
from bootimg.formats.qcow2.plain import PlainImage
from bootimg.formats.sparsetar import end
from bootimg.tarstream import directory, file_member, header, padding

_FOLDER = "disk/"
_LAYOUT = {"imageLayoutVersion": "1.0.0"}
_TYPE = "application/vnd.oci.image"
_EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob by what a descriptor says of it."""

    media_type: str
    digest: str
    size: int

    def descriptor(self) -> dict[str, object]:
        """The OCI descriptor."""
        return {"mediaType": self.media_type, "digest": f"sha256:{self.digest}", "size": self.size}

    @property
    def name(self) -> str:
        """Its file in the layout."""
        return f"blobs/sha256/{self.digest}"


def write_ociarchive(
    source: Source,
    out: Path,
    *,
    disk_name: str,
    arch: Arch,
    labels: Mapping[str, str],
    step: Step | None = None,
    packing: Packing | None = None,
) -> Written:
    """Write the archive with `/disk/<disk_name>` (a plain qcow2, root's, mode 644) and `labels`."""
    threads = (packing or Packing()).threads
    progress = ReadingProgress(step, data_length(source))
    need = data_length(source)
    with enough_space(out.parent, need), tempfile.TemporaryFile(dir=out.parent) as spool:
        packed = _write_layer(source, spool, out, disk_name, threads, progress)
        layer = Blob(f"{_TYPE}.layer.v1.tar+gzip", packed.sha256, packed.size)
        config = _config(arch, labels, packed.uncompressed_sha256 or "")
        with open_output(out, packing or Packing(), need) as sink:
            _write_layout(sink, config, layer, spool)
            return sink.finish(out)


def _write_layer(
    source: Source, spool: BinaryIO, out: Path, disk_name: str, threads: int, progress: ReadingProgress
) -> Written:
    """The gzipped tar of the layer, in `spool`; its size is that of the file."""
    image = PlainImage(source)
    with DigestingFile(spool) as file, GzipCodec(file.write, threads) as codec, Digest() as digest:
        layer = CompressedFile(codec, file, digest)
        layer.write(directory(_FOLDER))
        layer.write(header(_FOLDER + disk_name, image.size))
        image.write_to(layer, progress)
        layer.write(padding(image.size))
        end(layer)
        return layer.finish(out)


def _config(arch: Arch, labels: Mapping[str, str], diff_id: str) -> bytes:
    return _json({
        "created": _EPOCH,
        "architecture": arch.oci,
        "os": "linux",
        "config": {"Labels": dict(labels)},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]},
        "history": [{"created": _EPOCH, "created_by": "bootimg"}],
    })  # fmt: skip


def _write_layout(sink: Sink, config_data: bytes, layer: Blob, spool: BinaryIO) -> None:
    config = _blob(f"{_TYPE}.config.v1+json", config_data)
    manifest_data = _json({
        "schemaVersion": 2,
        "mediaType": f"{_TYPE}.manifest.v1+json",
        "config": config.descriptor(),
        "layers": [layer.descriptor()],
    })  # fmt: skip
    manifest = _blob(f"{_TYPE}.manifest.v1+json", manifest_data)
    index = {"schemaVersion": 2, "manifests": [manifest.descriptor()]}
    sink.write(file_member("oci-layout", _json(_LAYOUT)))
    sink.write(file_member("index.json", _json(index)))
    for folder in ("blobs/", "blobs/sha256/"):
        sink.write(directory(folder))
    sink.write(file_member(manifest.name, manifest_data))
    sink.write(file_member(config.name, config_data))
    sink.write(header(layer.name, layer.size))
    copy_file(spool, sink)
    sink.write(padding(layer.size))
    end(sink)


def _blob(media_type: str, data: bytes) -> Blob:
    return Blob(media_type, hashlib.sha256(data).hexdigest(), len(data))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

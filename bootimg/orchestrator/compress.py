"""Compresses and uncompresses the images of an existing build, one after the other.

An image's entry in meta.json changes when its new file exists, and the old file is removed after that.
So the same command continues an interrupted run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.builds.compressed import (
    lost_compressor,
    records_uncompressed,
    skips_compression,
    uncompressed_name,
)
from bootimg.builds.find import Build, find_builds, require_digest
from bootimg.builds.folder import BuildDir, open_build
from bootimg.builds.meta import image_entry
from bootimg.builds.names import require_free
from bootimg.builds.provenance.writing import write_provenance
from bootimg.disk.extents import FileSource
from bootimg.events import Events, Step
from bootimg.formats import Compressor, Packing, Written
from bootimg.formats.compression.unpack import unpack
from bootimg.formats.compression.writer import open_output
from bootimg.formats.output import ReadingProgress, data_length
from bootimg.formats.raw import copy_content
from bootimg.orchestrator.rebuild import compressors_of
from bootimg.orchestrator.request import Artifact
from bootimg.platform import Platform
from bootimg.targets import platform_of_key
from bootimg.untrusted.limits import DEFAULT, Limits
from bootimg.vm.diskimage import refuse_references

Work = Callable[[BuildDir], Iterator[Artifact]]


def each_build(builds: Path, which: str, arch: Arch | None, work: Work) -> list[Artifact]:
    """Call `work` on the locked build `which` (as for `find_build`), one architecture after the other.

    The provenance, which names the files, is written again.
    """
    changed: list[Artifact] = []
    for build in find_builds(builds, which, arch):
        with open_build(build.path.parent.parent, build.id, build.arch) as folder:
            changed += work(folder)
            write_provenance(folder)
    return changed


def compress_images(folder: BuildDir, requested: Compressor | None, events: Events) -> Iterator[Artifact]:
    """Compress the uncompressed images that may be compressed; yields the artifacts that changed.

    If an older version has uncompressed an artifact whose own format compresses it, it is compressed again.

    An image whose file differs from its entry in meta.json raises `artifact-damaged` and stays unchanged.
    """
    layer = compressors_of(_build(folder))
    for key, platform, entry in _disks(folder):
        if skips_compression(entry) or records_uncompressed(entry):
            continue
        lost = lost_compressor(platform, entry)
        compressor = lost or layer.of(platform, requested)
        if compressor is not Compressor.NONE:
            name = f"{entry['path']}{compressor.suffix}"
            job = _Job(key, entry, name, Packing(compressor), skip_compression=lost is not None)
            yield _change(folder, job, events)


def uncompress_images(folder: BuildDir, events: Events, limits: Limits = DEFAULT) -> Iterator[Artifact]:
    """Uncompress what `compress_images`, a build or coreos-assembler has compressed.

    The same errors, and `image-over-budget`.
    """
    for key, platform, entry in _disks(folder):
        name = uncompressed_name(platform, entry)
        if name is not None:
            yield _change(folder, _Job(key, entry, name, Packing(), limits=limits), events)


def _disks(folder: BuildDir) -> Iterator[tuple[str, Platform, Mapping[str, Any]]]:
    """The build's platform images; the layer's archive and live media are not compressed."""
    build = _build(folder)
    for key, entry in build.images.items():
        if platform := platform_of_key(key):
            build.artifact(key)
            yield key, platform, entry


def _build(folder: BuildDir) -> Build:
    return Build(folder.id, folder.arch, folder.path, folder.meta.read())


@dataclass(frozen=True, slots=True)
class _Job:
    """An image by its key and entry, and its new form: a file `name`, packed as `packing` says."""

    key: str
    entry: Mapping[str, Any]
    name: str
    packing: Packing
    skip_compression: bool = False
    limits: Limits = DEFAULT


def _change(folder: BuildDir, job: _Job, events: Events) -> Artifact:
    started = time.monotonic()
    require_free(job.name, job.key, _build(folder).images, str(folder.path))
    source, temporary = folder.file(str(job.entry["path"])), folder.scratch / job.name
    work = _uncompressed if job.packing.compressor is Compressor.NONE else _compressed
    with events.step(job.key, job.name, total=source.stat().st_size) as step:
        output = work(source, job, temporary, step)
    output = replace(output, path=folder.publish(temporary, job.name))
    folder.replace_image(job.key, image_entry(output, skip_compression=job.skip_compression))
    return Artifact(
        key=job.key,
        path=output.path,
        size=output.size,
        sha256=output.sha256,
        seconds=time.monotonic() - started,
        cached=False,
    )


def _compressed(source: Path, job: _Job, out: Path, step: Step) -> Written:
    refuse_references(source)
    with FileSource(source) as disk, open_output(out, job.packing) as sink:
        copy_content(disk, sink, ReadingProgress(step, data_length(disk)))
        output = sink.finish(out)
        require_digest(source, "sha256", job.entry["sha256"], output.uncompressed_sha256)
        return output


def _uncompressed(source: Path, job: _Job, out: Path, step: Step) -> Written:
    entry = job.entry

    def check(found: Written) -> None:
        require_digest(source, "sha256", entry["sha256"], found.sha256)
        require_digest(source, "uncompressed-sha256", entry["uncompressed-sha256"], found.uncompressed_sha256)

    return unpack(source, out, check=check, step=step, need=entry.get("uncompressed-size"), limits=job.limits)

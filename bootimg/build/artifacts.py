"""Artifacts of a build: the layer's archive, and one disk image a platform."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from bootimg.atomic import write_own
from bootimg.build.bases import BaseDisk
from bootimg.build.packaging import Packer, assumption
from bootimg.build.prepare import Layer
from bootimg.build.request import Artifact
from bootimg.build.schedule import StoppableSource
from bootimg.build.work import Work
from bootimg.builds.build import BuildDir
from bootimg.builds.layout import oci_manifest_name, ociarchive_name
from bootimg.builds.meta import image_entry
from bootimg.cache import Cache
from bootimg.disk.bootpatch import Patch, make_patch, platform_arguments, platform_edits
from bootimg.disk.composite import Composite
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import read_gpt
from bootimg.events import Events
from bootimg.formats import Packing, data_length
from bootimg.formats.packagers import packager_of
from bootimg.formats.written import Written
from bootimg.jobs import Stop
from bootimg.layer.archive import write_ociarchive
from bootimg.layer.platformsjson import PATH as PLATFORMS
from bootimg.manifest.recipe import PlatformDisk
from bootimg.platform import Console, Platform

BOOT_PARTITION = 3


def archive_layer(build: BuildDir, layer: Layer, cache: Cache, events: Events, *, force: bool) -> Artifact:
    """Put the image itself, digest preserved, beside what is made from it, with its manifest."""
    if not force and build.has("ostree"):
        return existing(build, "ostree")
    started = time.monotonic()
    name = ociarchive_name(layer.facts.osname, build.id, build.arch)
    with events.step("archive", "archiving the layer", total=layer.image.size):
        temporary = build.scratch / name
        sha256, size = write_ociarchive(layer.image, cache, temporary)
        path = build.publish(temporary, name)
    manifest = oci_manifest_name(layer.facts.osname, build.id, build.arch)
    temporary = build.scratch / manifest
    write_own(temporary, layer.image.manifest)
    build.publish(temporary, manifest)
    build.meta.merge(
        {
            "images": {
                "ostree": image_entry(Written(path, size, sha256), skip_compression=True),
                "oci-manifest": {
                    "path": manifest,
                    "sha256": layer.image.digest.removeprefix("sha256:"),
                    "size": len(layer.image.manifest),
                    "skip-compression": True,
                },
            }
        }
    )
    return Artifact(
        key="ostree", path=path, size=size, sha256=sha256, seconds=time.monotonic() - started, cached=False
    )


def existing(build: BuildDir, key: str) -> Artifact:
    """An artifact that the build has already."""
    entry = build.meta.read()["images"][key]
    path = build.file(entry["path"])
    return Artifact(key=key, path=path, size=entry["size"], sha256=entry["sha256"], seconds=0, cached=True)


def make_image(
    work: Work, platform: Platform, disk: PlatformDisk, base: BaseDisk, packing: Packing, stop: Stop
) -> Artifact:
    """Make one platform's image in one pass over the base disk and its patch of /boot.

    It is read, converted, hashed and, with a compressor in `packing`, compressed and hashed again.
    """
    started = time.monotonic()
    build = work.build
    if assumed := assumption(platform, work.layer.facts.image_json):
        work.events.message(assumed)
    name = f"{packager_of(platform).file_name(platform, disk)}{packing.compressor.suffix}"
    patch = platform_patch(base, platform, disk, work.layer, build.scratch)
    temporary = build.scratch / name
    with (
        Composite(base.path, patch, disk.size) as source,
        work.events.step(platform.name, name, total=data_length(source)) as step,
    ):
        stoppable = StoppableSource(source, stop)
        written = Packer(work.layer, packing, step).write(platform, disk, stoppable, temporary)
    written = publish_image(build, platform, written, name)
    return Artifact(
        key=platform.image_key,
        path=written.path,
        size=written.size,
        sha256=written.sha256,
        seconds=time.monotonic() - started,
        cached=False,
    )


def publish_image(build: BuildDir, platform: Platform, written: Written, name: str) -> Written:
    """Give a platform's finished file its name in the build, and have meta.json list it."""
    written = replace(written, path=build.publish(written.path, name))
    entry = image_entry(written, skip_compression=platform.skip_compression)
    build.replace_image(platform.image_key, entry)
    return written


def platform_patch(
    base: BaseDisk, platform: Platform, disk: PlatformDisk, layer: Layer, scratch: Path
) -> Patch:
    """What the platform changes on /boot: kernel arguments, GRUB's console, the table of platforms."""
    platforms_json = None
    if layer.tree.exists(PLATFORMS):
        platforms_json = layer.tree.read(PLATFORMS)
    replaces: tuple[str, ...] = ()
    if base.platform is not None:
        replaces = platform_arguments(base.platform.ignition_id, console_of(base.platform, layer))
    edits = platform_edits(
        disk.platform_id, console_of(platform, layer), platforms_json=platforms_json, replaces=replaces
    )
    with FileSource(base.path) as source:
        start, length = read_gpt(source).span(BOOT_PARTITION)
        return make_patch(source, start, length, edits, scratch=scratch)


def console_of(platform: Platform, layer: Layer) -> Console:
    """The platform's console settings: the layer's own table, and ours where it says nothing."""
    if table := layer.facts.platforms:
        return table.get(platform.name, Console())
    return platform.consoles.get(layer.image.arch, Console())

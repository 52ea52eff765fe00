"""Makes a platform's image without osbuild: the base disk with the platform's patch, in its format."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from bootimg.builds.folder import BuildDir
from bootimg.builds.meta import image_entry
from bootimg.disk.bootpatch import Patch, make_patch, platform_arguments, platform_edits
from bootimg.disk.composite import Composite
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import read_gpt
from bootimg.disk.zipl.record import ZiplRecord
from bootimg.disk.zipl.stage3 import layer_stage3
from bootimg.formats import Packing, data_length
from bootimg.formats.output import Written
from bootimg.formats.packagers import packager_of
from bootimg.jobs import Stop
from bootimg.layer.declared.platformsjson import PATH as PLATFORMS
from bootimg.manifest.recipe import PlatformDisk, Zipl
from bootimg.orchestrator.artifacts.origin import keep_origin
from bootimg.orchestrator.artifacts.packaging import Packer, assumption
from bootimg.orchestrator.artifacts.stoppable import StoppableSource
from bootimg.orchestrator.basedisk import BaseDisk
from bootimg.orchestrator.recipes.prepare import Layer
from bootimg.orchestrator.request import Artifact
from bootimg.orchestrator.work import Work
from bootimg.platform import Console, Platform

BOOT_PARTITION = 3


def make_image(
    work: Work, platform: Platform, disk: PlatformDisk, base: BaseDisk, packing: Packing, stop: Stop
) -> Artifact:
    """Make one platform's image in one pass over the base disk and its patch of /boot.

    The disk is read, converted, hashed and, with a compressor in `packing`, compressed and hashed again.
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
        output = Packer(work.layer, packing, step).write(platform, disk, stoppable, temporary)
    output = publish_image(build, platform, output, name)
    keep_origin(base, output, patch, source.size)
    return Artifact.of(platform.image_key, output, started)


def publish_image(build: BuildDir, platform: Platform, output: Written, name: str) -> Written:
    """Give a platform's finished file its name in the build, and list it in meta.json."""
    output = replace(output, path=build.publish(output.path, name))
    entry = image_entry(output, skip_compression=platform.skip_compression)
    build.replace_image(platform.image_key, entry)
    return output


def platform_patch(
    base: BaseDisk, platform: Platform, disk: PlatformDisk, layer: Layer, scratch: Path
) -> Patch:
    """The platform's changes to /boot: kernel arguments, GRUB's console, the table of platforms, zipl."""
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
        gpt = read_gpt(source)
        record = None if disk.zipl is None else _zipl_record(disk.zipl, layer, gpt.sector_size)
        return make_patch(source, *gpt.span(BOOT_PARTITION), edits, scratch=scratch, record=record)


def _zipl_record(zipl: Zipl, layer: Layer, sector_size: int) -> ZiplRecord:
    return ZiplRecord(
        stage3=layer_stage3(layer.tree),
        sector_size=sector_size,
        entry=zipl.kernel,
        arguments=zipl.kernel_opts_append,
    )


def console_of(platform: Platform, layer: Layer) -> Console:
    """The platform's console settings: the layer's own table or, if it has none, the plugin's."""
    if table := layer.facts.platforms:
        return table.get(platform.name, Console())
    return platform.consoles.get(layer.image.arch, Console())

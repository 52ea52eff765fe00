"""The images of a build made by the program osbuild, from the manifest that bootimg renders.

The layer is fetched, imported and archived as ever; osbuild gets the archive and the manifest, and
what it exports becomes the build's artifacts.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from bootimg.atomic import write_whole
from bootimg.build.artifacts import existing, publish_image
from bootimg.build.packaging import wrap_exported
from bootimg.build.prepare import render_manifest
from bootimg.build.request import Artifact
from bootimg.build.work import Work
from bootimg.builds.build import BuildDir
from bootimg.builds.find import digest_of
from bootimg.builds.layout import artifact_name
from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.formats.packagers import packager_of
from bootimg.formats.written import Written
from bootimg.manifest.model import Json
from bootimg.manifest.render import canonical_json
from bootimg.osbuild.exports import check_disk, disk_size, exported_file
from bootimg.osbuild.program import inspect, require_osbuild
from bootimg.osbuild.run import Job, run
from bootimg.platform import Platform

# What coreos-assembler keeps between runs; a manifest need not have all of them.
_KEPT = ("deployed-tree", "tree", "raw-image", "metal", "metal4k")


def images_by_osbuild(work: Work, archive: Artifact) -> None:
    """Make the images of the request's platforms; those that the build has already stay."""
    build, layer, progress = work.build, work.layer, work.progress
    document = render_manifest(work.request, layer, archive.path, archive.sha256)
    wanted = work.wanted()
    output = build.scratch / "osbuild"
    if wanted:
        with work.journal.step("osbuild"):
            _run(document, wanted, build, output, work.cache, work.events)
    progress.done("osbuild", work.cache.root / "osbuild" if wanted else None)
    for platform in work.request.platforms:
        if platform not in wanted:
            artifact = existing(build, platform.image_key)
        else:
            with work.journal.step(platform.name):
                name = artifact_name(layer.facts.osname, build.id, platform.name, build.arch, platform.suffix)
                artifact = _collect(work, document, platform, name, output)
        progress.artifacts.append(artifact)
        progress.done(platform.name, artifact.path)


def _run(
    document: Json, wanted: Sequence[Platform], build: BuildDir, output: Path, cache: Cache, events: Events
) -> None:
    program = require_osbuild()
    manifest = build.scratch / "manifest.json"
    write_whole(manifest, canonical_json(document).encode())
    names = [pipeline["name"] for pipeline in document["pipelines"]]
    log = cache.folder("logs") / f"osbuild-{build.id}.{build.arch}.log"
    # osbuild's store takes one run at a time.
    with cache.locked("osbuild", events), events.step("osbuild", "building with osbuild") as step:
        inspect(program, manifest)
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()
        job = Job(
            program=program,
            manifest=manifest,
            exports=[platform.name for platform in wanted],
            checkpoints=[name for name in _KEPT if name in names],
            store=cache.folder("osbuild"),
            output=output,
            log=log,
        )
        run(job, events)
        step.result(f"{len(wanted)} exported; log: {log}")


def _collect(work: Work, document: Json, platform: Platform, name: str, output: Path) -> Artifact:
    """Look at what was exported, wrap and digest it, and give it its name in the build."""
    started, build, packager = time.monotonic(), work.build, packager_of(platform)
    found = exported_file(output, platform.name, packager.exported_name(platform, name))
    if packager.is_disk or found.name != name:
        check_disk(found, platform.name, platform.disk_format, disk_size(document, platform.name))
    found = wrap_exported(work.layer, platform, found, build.scratch / name)
    size = found.stat().st_size
    with work.events.step(platform.name, name, total=size) as step:
        sha256 = digest_of(found)
        step.advance(size)
        written = publish_image(build, platform, Written(found, size, sha256), name)
    return Artifact(
        key=platform.image_key,
        path=written.path,
        size=size,
        sha256=sha256,
        seconds=time.monotonic() - started,
        cached=False,
    )

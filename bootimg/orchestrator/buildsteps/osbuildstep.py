"""The step that has the program osbuild make a build's images, from the manifest that bootimg renders.

The layer is fetched, imported and archived as in every build.  osbuild gets the archive and the manifest, and
its exports become the build's artifacts.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from bootimg.atomic import write_whole
from bootimg.builds.made import BY_OSBUILD
from bootimg.cache import Cache
from bootimg.disk.layer_deploy import require_programs
from bootimg.manifest.model import Json
from bootimg.manifest.render import canonical_json
from bootimg.orchestrator.artifacts.exported import EXPORTS
from bootimg.orchestrator.recipes.prepare import Layer, render_manifest
from bootimg.orchestrator.refusals import refuse_other_arches
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.space import tree_bytes
from bootimg.orchestrator.step import MakingStep, Need, Why, needless
from bootimg.orchestrator.survey import Survey
from bootimg.orchestrator.targets.madewith import How, record_made
from bootimg.orchestrator.targets.target import Target
from bootimg.orchestrator.work import Work
from bootimg.osbuild.program import inspect, require_osbuild, version_of
from bootimg.osbuild.run import Job, run
from bootimg.targets import LAYER_KEY

_BY_BOOTIMG = "use --builder own: bootimg deploys the layer without its programs"
# The checkpoints that coreos-assembler keeps between runs; a manifest need not have all of them.
_KEPT = ("deployed-tree", "tree", "raw-image", "metal", "metal4k")


class Osbuild(MakingStep):
    """Runs osbuild once for all targets; each target collects its own export."""

    name = "osbuild"
    title = "instead of `base` with `--builder osbuild`: have osbuild make all images"

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = targets

    def require(self, request: Request) -> None:
        """Require this machine's architecture."""
        refuse_other_arches(request.arch, request.builder)

    def require_machine(self, request: Request, cache: Cache) -> None:
        """Require the program, the user that it needs, and the programs that its stages start."""
        require_osbuild()

    def require_layer(self, request: Request, layer: Layer) -> None:
        """Require a layer with `ostree container`, with which osbuild deploys it; bootc needs none."""
        if not layer.facts.image_json.bootc_install_to_fs:
            require_programs(layer.tree, _BY_BOOTIMG)

    def why(self, survey: Survey) -> Why:
        """Why: a missing image needs osbuild."""
        if self._missing(survey):
            return Why("osbuild keeps its own checkpoints")
        return needless("no image needs it")

    def need(self, survey: Survey) -> Need:
        """Space for the archive and the tree twice, the disk, and each platform's disk before conversion."""
        missing = self._missing(survey)
        if not missing:
            return Need()
        files, disk = tree_bytes(survey.image, survey.tree), survey.base_bytes
        return Need(cache=2 * survey.image.size + 2 * files + disk * (1 + 2 * len(missing)))

    def run(self, work: Work) -> None:
        """Export the images that the build lacks into its scratch folder."""
        wanted = [each for each in self._targets if each.existing(work) is None]
        if wanted:
            archive = work.progress.artifact(LAYER_KEY)
            document = render_manifest(work.request, work.layer, archive.path, archive.sha256)
            work.results.manifest = document
            how = How(BY_OSBUILD, {"osbuild": version_of(require_osbuild())})
            with work.journal.step(self.name):
                _run(document, [each.name for each in wanted], work)
            record_made(work, [(each, how) for each in wanted])
        work.progress.done(self.name, work.cache.root / "osbuild" if wanted else None)

    def _missing(self, survey: Survey) -> list[Target]:
        return [each for each in self._targets if not survey.has(each.declared)]


def _run(document: Json, wanted: Sequence[str], work: Work) -> None:
    build, cache, events = work.build, work.cache, work.events
    output = build.scratch / EXPORTS
    program = require_osbuild()
    manifest = build.scratch / "manifest.json"
    write_whole(manifest, canonical_json(document).encode())
    names = [pipeline["name"] for pipeline in document["pipelines"]]
    log = cache.folder("logs") / f"osbuild-{build.id}.{build.arch}.log"
    # osbuild's store allows one run at a time.
    with cache.locked("osbuild", events), events.step("osbuild", "building with osbuild") as step:
        inspect(program, manifest)
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()
        job = Job(
            program=program,
            manifest=manifest,
            exports=list(wanted),
            checkpoints=[name for name in _KEPT if name in names],
            store=cache.folder("osbuild"),
            output=output,
            log=log,
        )
        run(job, events)
        step.result(f"{len(wanted)} exported; log: {log}")

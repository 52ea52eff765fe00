"""The step that imports the layer into the cache's ostree repository, and begins the build's meta.json."""

from __future__ import annotations

from datetime import UTC, datetime

from bootimg.atomic import require_writable
from bootimg.builds.folder import require_build_id
from bootimg.builds.meta import LayerIdentity, layer_meta
from bootimg.cache import Cache
from bootimg.layer.declared.facts import version_of
from bootimg.layer.declared.imagejson import PATH as IMAGE_JSON
from bootimg.layer.image.fetched import Image
from bootimg.layer.importing.importer import ImportedCommit, import_layer, is_imported
from bootimg.layer.ostree import libostree
from bootimg.orchestrator.recipes.prepare import Layer
from bootimg.orchestrator.recipes.variables import require_imgref, target_imgref
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.space import tree_bytes
from bootimg.orchestrator.step import MakingStep, Need, Why, needless
from bootimg.orchestrator.survey import UNREAD, Survey
from bootimg.orchestrator.work import Work


class Import(MakingStep):
    """Imports the layer as a commit."""

    name = "import"
    title = "import the layer into the ostree repository"

    def require(self, request: Request) -> None:
        """Require an origin that machines can follow, if one is given."""
        require_imgref(request)

    def require_machine(self, request: Request, cache: Cache) -> None:
        """Require a writable tree of builds: this is the first step that writes there."""
        require_writable(request.builds, "give another folder with -o or BOOTIMG_BUILDS")

    def require_image(self, request: Request, image: Image, cache: Cache) -> None:
        """Require a version that can be a build's id."""
        require_build_id(version_of(image))

    def require_tools(self, survey: Survey) -> None:
        """Require libostree, which writes the repository."""
        libostree.interpreter()

    def why(self, survey: Survey) -> Why:
        """Why: the layer is not imported yet."""
        if survey.layer is None:
            return Why(UNREAD)
        return needless() if _is_imported(survey) else Why("not imported yet")

    def need(self, survey: Survey) -> Need:
        """Space for the objects."""
        done = survey.layer is not None and _is_imported(survey)
        return Need(cache=0 if done else tree_bytes(survey.image, survey.tree))

    def run(self, work: Work) -> None:
        """Import the layer and describe it in meta.json."""
        with work.journal.step(self.name):
            work.results.commit = commit = _import(work)
            work.build.meta.merge(layer_meta(_identity(work.layer, commit)))
        work.progress.done(self.name, work.cache.root / "repo")


def _is_imported(survey: Survey) -> bool:
    assert survey.layer is not None
    imgref = target_imgref(survey.request, survey.image, survey.layer.facts)
    return is_imported(survey.image, repo=survey.cache.root / "repo", cache=survey.cache, imgref=imgref)


def _import(work: Work) -> ImportedCommit:
    layer, cache = work.layer, work.cache
    imgref = target_imgref(work.request, layer.image, layer.facts)
    return import_layer(
        layer.image, layer.tree, repo=cache.folder("repo"), cache=cache, events=work.events, imgref=imgref
    )


def _identity(layer: Layer, commit: ImportedCommit) -> LayerIdentity:
    return LayerIdentity(
        name=layer.facts.osname,
        build_id=layer.facts.version,
        version=layer.facts.version,
        arch=layer.image.arch,
        commit=commit.checksum,
        created=datetime.fromtimestamp(layer.image.created, UTC),
        labels=layer.image.labels,
        image_json=layer.tree.read(IMAGE_JSON),
        inputs=(layer.image.digest,),
    )

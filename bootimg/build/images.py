"""The platforms' images made by ourselves: one base disk a sector size, then all of them side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from bootimg.atomic import enough_space
from bootimg.build.artifacts import existing, make_image
from bootimg.build.basedisks import base_disks
from bootimg.build.bases import BaseDisk
from bootimg.build.compression import artifact_compressor
from bootimg.build.cost import memory_of
from bootimg.build.recipe import make_recipes
from bootimg.build.request import Artifact
from bootimg.build.work import Work
from bootimg.errors import BootimgError
from bootimg.formats import Packing
from bootimg.jobs import Job, Stop, memory_budget, run_jobs
from bootimg.layer.importer import ImportedCommit
from bootimg.manifest.recipe import Recipe
from bootimg.platform import Platform


def images_by_ourselves(work: Work, commit: ImportedCommit, archive: Artifact) -> None:
    """Make the images of the request's platforms; those that the build has already stay.

    One that fails leaves the others; `work.progress.failures` has its error.
    """
    recipes = make_recipes(work.request, work.layer, archive.path, archive.sha256)
    wanted = _up_to(work.wanted(), work.request.until)
    bases: Mapping[int, BaseDisk] = {}
    if wanted:
        with work.journal.step("base"):
            sizes = {platform.sector_size for platform in wanted}
            bases = base_disks(work, {size: recipes[size] for size in sorted(sizes)}, commit)
    work.progress.base_disks.update({size: base.path for size, base in bases.items()})
    work.progress.done("base", next(iter(work.progress.base_disks.values()), None))
    made = _make(work, wanted, recipes, bases)
    for platform in work.request.platforms:
        if platform in wanted and platform.name not in made:
            continue
        artifact = made.get(platform.name) or existing(work.build, platform.image_key)
        work.progress.artifacts.append(artifact)
        work.progress.done(platform.name, artifact.path)


def _up_to(platforms: Sequence[Platform], until: str | None) -> list[Platform]:
    """The platforms up to the one that the build is to stop after."""
    names = [platform.name for platform in platforms]
    return list(platforms[: names.index(until) + 1] if until in names else platforms)


def _make(
    work: Work, wanted: Sequence[Platform], recipes: Mapping[int, Recipe], bases: Mapping[int, BaseDisk]
) -> dict[str, Artifact]:
    request = work.request
    jobs = []
    for platform in wanted:
        recipe, base = recipes[platform.sector_size], bases[platform.sector_size]
        packing = _packing(work, platform)
        job = partial(_image, work, platform, recipe, base, packing)
        jobs.append(Job(platform.name, job, memory_of(packing)))
    ended = run_jobs(jobs, workers=request.jobs, memory=memory_budget())
    for each in ended:
        if each.error is not None:
            work.progress.failures[each.name] = each.error
            work.events.message(f"{each.name} failed: {each.error}", "warning")
    return {each.name: each.value for each in ended if each.value is not None}


def _packing(work: Work, platform: Platform) -> Packing:
    return Packing(artifact_compressor(work.request, platform, work.layer.facts.image_json))


def _image(
    work: Work, platform: Platform, recipe: Recipe, base: BaseDisk, packing: Packing, stop: Stop
) -> Artifact:
    with work.journal.step(platform.name), _told_apart(work, platform):
        return make_image(work, platform, recipe.platforms[platform.name], base, packing, stop)


@contextmanager
def _told_apart(work: Work, platform: Platform) -> Iterator[None]:
    """What a file system says to one artifact is that artifact's error, and no reason to stop the others."""
    try:
        with enough_space(work.build.path):
            yield
    except OSError as error:
        raise BootimgError(
            "artifact-not-written",
            f"the image for {platform.name} could not be written: {error.strerror}",
            context=[str(name) for name in (error.filename, error.filename2) if name is not None],
            hint="mend that and make it again with --retry-failed",
        ) from None

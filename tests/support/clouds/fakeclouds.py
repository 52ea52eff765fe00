"""Uploaders of all platforms that delete from a set of images in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bootimg.cloud import registry as uploaders
from bootimg.cloud.plugin import BootimgError, Call, Done, Entry, Means, PlaceJob, Task, Uploader, Verb

# Imported before anything is replaced: a module that is imported later would keep the replacement.
from bootimg.orchestrator.retiring import run as _run
from bootimg.orchestrator.retiring import settings as retiring_settings
from bootimg.orchestrator.uploading import forecast as _forecast
from bootimg.platform import Registry, registry

__all__ = ["FakeClouds", "_forecast", "_run", "fake_clouds"]


@dataclass
class FakeClouds:
    """The images that exist, as (key in meta.json, place, id), the places that fail, and the deletions.

    `without` are platforms whose uploader is not installed, `verbless` those whose uploader deletes nothing.
    """

    images: set[tuple[str, str, str]] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    deleted: list[tuple[str, str, str]] = field(default_factory=list)
    settings: list[dict[str, object]] = field(default_factory=list)
    without: set[str] = field(default_factory=set)
    verbless: set[str] = field(default_factory=set)

    def plan(self, task: Task, means: Means) -> Sequence[PlaceJob]:
        """A job for each entry, in its place."""
        self.settings.append(dict(task.settings.values))
        return [
            PlaceJob(image[1], self._work(image)) for image in (_image(task, each) for each in task.entries)
        ]

    def _work(self, image: tuple[str, str, str]) -> Callable[[Means], Done]:
        def work(means: Means) -> Done:
            if image[1] in self.failing:
                raise BootimgError("cloud-timeout", f"{image[1]} fails")
            if image not in self.images:
                return Done("was gone", cached=True)
            means.calls.make(
                Call(place=image[1], operation="Delete", parameters={}), lambda: self._delete(image), None
            )
            return Done(f"{image[2]} deleted")

        return work

    def _delete(self, image: tuple[str, str, str]) -> None:
        self.images.remove(image)
        self.deleted.append(image)


def _image(task: Task, entry: Entry) -> tuple[str, str, str]:
    upload = task.upload
    place = entry[upload.form.place_field] if upload.form.place_field else "global"
    return upload.meta_key, place, entry[upload.fields[-1]]


def images_of(meta: dict[str, Any]) -> set[tuple[str, str, str]]:
    """The images that a meta.json lists, as `FakeClouds` has them."""
    found = set()
    for platform in registry().platforms.values():
        for upload in platform.uploads:
            value = meta.get(upload.meta_key) or []
            for each in value if isinstance(value, list) else [value]:
                place = each[upload.form.place_field] if upload.form.place_field else "global"
                found.add((upload.meta_key, place, each[upload.fields[-1]]))
    return found


@contextmanager
def fake_clouds() -> Iterator[FakeClouds]:
    """Every platform with uploads has a fake uploader of its own name."""
    clouds = FakeClouds()
    known = {
        name: replace(each, uploader=name) if each.uploads else each
        for name, each in registry().platforms.items()
    }

    def find(name: str) -> Uploader | None:
        if name in clouds.without:
            return None
        verbs = {} if name in clouds.verbless else {Verb.RETIRE: clouds.plan}
        return Uploader(
            name=name, summary="a fake", extra="fake", settings={"project": "x", "regions": "x"}, verbs=verbs
        )

    with pytest.MonkeyPatch.context() as patch:
        found = Registry(known, {})
        patch.setattr("bootimg.platform.registry", lambda: found)
        patch.setattr(uploaders, "find_uploader", find)
        patch.setattr(retiring_settings, "find_uploader", find)
        patch.setattr(retiring_settings, "uploader_names", lambda: tuple(known))
        yield clouds

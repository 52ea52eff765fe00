"""The verb retire: the manifests that meta.json and bootimg.json record, deleted by their digests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bootimg.cloud.plugin import Done, Means, PlaceJob, Settings, Task
from bootimg.cloud.registries.access import Image, RegistryOptions, Repository, recorded_images, retire_images


def plan_retirement(task: Task, means: Means) -> Sequence[PlaceJob]:
    """A job for each repository that meta.json names."""
    options = _options(task.settings)
    found: dict[str, list[Image]] = {}
    for each in (image for entry in task.needed_entries() for image in recorded_images(entry)):
        found.setdefault(str(each["image"]), []).append(each)
    return [PlaceJob(name, _job(task, name, images, options)) for name, images in found.items()]


def _job(task: Task, name: str, images: Sequence[Image], options: RegistryOptions) -> Callable[[Means], Done]:
    def work(means: Means) -> Done:
        repository = Repository(name, options, means)
        count = retire_images(repository, task.build, images, task.shared)
        return Done(f"{count} manifests deleted" if count else "was gone", cached=not count)

    return work


def _options(settings: Settings) -> RegistryOptions:
    paths: Iterator[Path | None] = (
        Path(text) if (text := settings.text(key)) else None for key in ("authfile", "cert_dir")
    )
    verify = settings.values.get("tls_verify", True)
    if not isinstance(verify, bool):
        raise settings.invalid("tls_verify is neither true nor false")
    return RegistryOptions(next(paths), next(paths), verify)

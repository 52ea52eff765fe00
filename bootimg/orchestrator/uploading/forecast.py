"""What `upload` would send: known from the build, the cache, the journals and the settings, offline.

With `look` the uploaders look in their clouds as well, as `upload --dry-run` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bootimg.builds.find import Build, find_builds
from bootimg.builds.layout import META
from bootimg.cache import Cache
from bootimg.cloud.journal import journal_path
from bootimg.cloud.lifecycle import Report
from bootimg.cloud.registry import find_uploader, uploader_of
from bootimg.cloud.results import entries_of
from bootimg.cloud.verbs import Verb
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.orchestrator.artifacts.origin import find_origin
from bootimg.orchestrator.uploading.content import ArtifactContent
from bootimg.orchestrator.uploading.request import CloudRequest, settings_for
from bootimg.orchestrator.uploading.run import run_cloud_verb
from bootimg.platform import Platform, Upload
from bootimg.recordlog import RecordLog
from bootimg.targets import platform_of_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The upload of one image of a build; sizes in bytes.

    `file_size` is that of the artifact, `data` what its disk has that may be other than zeros; None if the
    cache does not have the disk.  `settings` say where it would go.  `there` are the places in meta.json, or
    the image's URL or name.  `parts` is how many parts an interrupted upload has sent.  `problem` is what
    stands in the way.
    """

    build: str
    arch: str
    platform: str
    key: str
    uploader: str | None = None
    file: str | None = None
    file_size: int | None = None
    data: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    there: tuple[str, ...] = ()
    parts: int = 0
    problem: BootimgError | None = None
    report: Report | None = None

    def as_dict(self) -> dict[str, Any]:
        """The forecast as `--json` prints it."""
        return {
            "build": self.build,
            "arch": self.arch,
            "platform": self.platform,
            "key": self.key,
            "uploader": self.uploader,
            "file": self.file,
            "file-size": self.file_size,
            "data": self.data,
            "settings": dict(self.settings),
            "there": list(self.there),
            "parts-sent": self.parts,
            "problem": self.problem.as_dict() if self.problem else None,
            "cloud": self.report.as_dict() if self.report else None,
        }


def forecast(request: CloudRequest, cache: Cache, events: Events, *, look: bool) -> list[Forecast]:
    """A forecast for each image of the build that has a cloud, also where no uploader is installed."""
    found = []
    for build in find_builds(request.builds, request.which, request.arch):
        for platform in _platforms(build, request):
            each = _forecast(request, build, platform, cache)
            found.append(_looked(each, request, build, cache, events) if look and not each.problem else each)
    return found


def _platforms(build: Build, request: CloudRequest) -> Iterator[Platform]:
    """The platforms of the build's images, without those whose uploader is not for uploads."""
    for each in filter(None, map(platform_of_key, build.images)):
        uploader = find_uploader(each.uploader) if each.uploader else None
        other = uploader is not None and Verb.UPLOAD not in uploader.verbs
        if each.uploads and not other and (not request.platforms or each.name in request.platforms):
            yield each


def _forecast(request: CloudRequest, build: Build, platform: Platform, cache: Cache) -> Forecast:
    upload = platform.uploads[0]
    empty = Forecast(build=build.id, arch=str(build.arch), platform=platform.name, key=upload.meta_key)
    try:
        there = tuple(_place(upload, each) for each in entries_of(build.meta, upload, str(build.path / META)))
        known = replace(empty, there=there, **_artifact(build, platform, cache))
    except BootimgError as error:
        return replace(empty, problem=error)
    try:
        uploader = uploader_of(platform)
        settings = settings_for(request, uploader)
    except BootimgError as error:
        return replace(known, problem=error)
    return replace(
        known,
        uploader=uploader.name,
        settings={key: settings.values[key] for key in uploader.settings if key in settings.values},
        parts=_parts(build, uploader.name, request.account),
    )


def _place(upload: Upload, entry: Mapping[str, Any]) -> str:
    return str(entry[upload.form.place_field or upload.fields[0]])


def _artifact(build: Build, platform: Platform, cache: Cache) -> dict[str, Any]:
    path = build.artifact(platform.image_key)
    return {
        "file": path.name,
        "file_size": path.stat().st_size,
        "data": _data(ArtifactContent(build, platform, cache), cache),
    }


def _data(content: ArtifactContent, cache: Cache) -> int | None:
    disk = find_origin(cache, content.sha256) if cache.root.is_dir() else None
    if disk is None:
        return None
    with disk:
        return sum(each.length for each in disk.extents() if each.data)


def _parts(build: Build, uploader: str, account: str | None) -> int:
    records = RecordLog(journal_path(build.path, uploader, account)).records()
    return len({(each.get("subject"), each.get("number")) for each in records if each["step"] == "part"})


def _looked(found: Forecast, request: CloudRequest, build: Build, cache: Cache, events: Events) -> Forecast:
    wanted = replace(request, which=str(build.path), arch=None, platforms=(found.platform,), dry_run=True)
    try:
        reports = run_cloud_verb(wanted, cache, events)
    except BootimgError as error:
        return replace(found, problem=error)
    return replace(found, report=reports[0]) if reports else found

"""Deletes the cloud images of a build by their uploaders; notes what is gone in the journals of uploads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bootimg.builds.find import Build
from bootimg.builds.layout import META, UPLOAD
from bootimg.builds.meta import MetaFile
from bootimg.cache import Cache
from bootimg.cloud.calls import CallLog
from bootimg.cloud.journal import Journal
from bootimg.cloud.lifecycle import PlaceResult, Report, run_verb
from bootimg.cloud.settings import Settings
from bootimg.cloud.task import Entry
from bootimg.cloud.verbs import Verb
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.orchestrator.retiring.uploads import Recorded
from bootimg.orchestrator.uploading.request import CloudRequest
from bootimg.orchestrator.uploading.run import make_task, open_means
from bootimg.platform import Upload
from bootimg.recordlog import RecordLog

_STEP, _DONE = "retire", "done"
_REGIONS = "regions"
Left = Mapping[str, Sequence[Entry]]
"""The entries whose images are not gone yet, by their keys in meta.json."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """What the deletions of a build's images have in common; `shared` are containers that stay."""

    request: CloudRequest
    cache: Cache
    events: Events
    shared: frozenset[str] = frozenset()

    def run(self, build: Build, records: Sequence[Recorded]) -> Iterator[Report]:
        """Delete these images of one architecture, on the platforms of the request if it names some."""
        chosen = self.request.platforms
        left = dict(left_of(build.path, records))
        for each in records:
            if left.get(each.upload.meta_key) and (not chosen or each.platform.name in chosen):
                report = self._delete(build, each, left)
                if not report.failed:
                    # Another upload that has the same snapshot may now delete it.
                    left.pop(each.upload.meta_key)
                yield report

    def _delete(self, build: Build, record: Recorded, left: Left) -> Report:
        calls, key = CallLog(self.request.dry_run), record.upload.meta_key
        with self.events.step(f"retire {build.id} {build.arch} {key}", f"{build.id} {build.arch} {key}"):
            try:
                results = self._results(build, record, left, calls)
            except BootimgError as error:
                results = [PlaceResult(record.platform.name, error=error)]
        return Report(
            build=build.id,
            arch=str(build.arch),
            platform=record.platform.name,
            key=key,
            results=results,
            calls=tuple(calls.calls),
        )

    def _results(self, build: Build, record: Recorded, left: Left, calls: CallLog) -> list[PlaceResult]:
        request, uploader = replace(self.request, key=record.upload.meta_key), record.uploader
        own = {key: each for key, each in request.overrides.items() if key in uploader.settings}
        request = replace(request, overrides=own)
        task = make_task(request, build, record.platform, uploader, self.cache)
        task = replace(task, recorded=left, settings=_everywhere(task.settings, own), shared=self.shared)
        with open_means(request, build, uploader, calls, self.events) as means:
            results = run_verb(Verb.RETIRE, uploader, task, means, MetaFile(build.path / META))
            results += _not_tried(record.upload, task.entries, results)
            if not request.dry_run:
                _note(means.journal, record.upload, task.entries, results)
        return results


def _everywhere(settings: Settings, own: Mapping[str, Any]) -> Settings:
    """The settings without the regions that a stream has now: an older build may have images in others."""
    values = {key: each for key, each in settings.values.items() if key != _REGIONS or key in own}
    return replace(settings, values=values)


def left_of(folder: Path, records: Sequence[Recorded]) -> Left:
    """The entries whose images are not gone yet, according to the journals of uploads in a build's folder."""
    logs = (RecordLog(path).records() for path in sorted(folder.glob(f"{UPLOAD}*.ndjson")))
    gone = {
        each.get("subject") for log in logs for each in log if (each["step"], each["state"]) == (_STEP, _DONE)
    }
    return {
        record.upload.meta_key: left
        for record in records
        if (left := [each for each in record.entries if _subject(record.upload, each) not in gone])
    }


def _subject(upload: Upload, entry: Entry) -> str:
    # An image that was uploaded again has another entry.
    return f"{upload.meta_key} {json.dumps(entry, sort_keys=True)}"


def _of(upload: Upload, entry: Entry, results: Sequence[PlaceResult]) -> Sequence[PlaceResult]:
    """The results that are about an entry: those of its place, or all if there is only one entry."""
    field = upload.form.place_field
    return [each for each in results if field is None or each.place == entry[field]]


def _not_tried(upload: Upload, entries: Sequence[Entry], results: Sequence[PlaceResult]) -> list[PlaceResult]:
    field = upload.form.place_field
    missing = [
        str(each[field]) if field else upload.meta_key for each in entries if not _of(upload, each, results)
    ]
    return [PlaceResult(each, error=_untried(each)) for each in missing]


def _untried(place: str) -> BootimgError:
    return BootimgError(
        "retire-not-tried",
        f"the image in {place} was not looked for: the account of this run does not have it",
        hint="run the command again for that account: --account, with its credentials",
    )


def _note(journal: Journal, upload: Upload, entries: Sequence[Entry], results: Sequence[PlaceResult]) -> None:
    for entry in entries:
        if all(each.error is None for each in _of(upload, entry, results)):
            journal.note(_STEP, _DONE, _subject(upload, entry))

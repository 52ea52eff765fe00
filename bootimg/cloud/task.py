"""What an uploader gets, what it returns, and what an uploader is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bootimg.cloud.calls import CallLog
from bootimg.cloud.content import Content
from bootimg.cloud.journal import Journal
from bootimg.cloud.retry import Retry
from bootimg.cloud.settings import Settings
from bootimg.cloud.verbs import Verb
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.jobs import Stop
from bootimg.platform import Upload

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One upload of one build, which a verb is about.

    `name` is the operating system's, `summary` a phrase for descriptions.  `recorded` has the entries of
    meta.json for each of the platform's uploads.  `shared` are containers that other builds have too, as
    `REPOSITORY@DIGEST`.  `declared` are the values of the layer's image.json that concern uploads; None if
    they are not known.
    """

    name: str
    build: str
    arch: str
    summary: str
    upload: Upload
    settings: Settings
    content: Content
    recorded: Mapping[str, Sequence[Entry]] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()
    declared: Mapping[str, Any] | None = None

    @property
    def entries(self) -> Sequence[Entry]:
        """The entries of meta.json for this upload."""
        return self.recorded.get(self.upload.meta_key, ())

    def needed_entries(self) -> Sequence[Entry]:
        """The entries, of which there is at least one; else `cloud-nothing-uploaded`."""
        if not self.entries:
            raise BootimgError(
                "cloud-nothing-uploaded",
                f"build {self.build} ({self.arch}) has no upload {self.upload.meta_key}",
                hint="upload it first: bootimg upload",
                exit_code=ExitCode.USAGE,
            )
        return self.entries

    def needed_declared(self) -> Mapping[str, Any]:
        """The values of image.json; `image-json-unknown` if nothing says what they are."""
        if self.declared is None:
            raise BootimgError(
                "image-json-unknown",
                f"nothing says what image.json of build {self.build} ({self.arch}) sets",
                context=["bootimg.json does not record it, and the layer's archive is not here"],
                hint="`bootimg builds fetch --artifact ostree` gets it; or name the file with --image-json",
                exit_code=ExitCode.USAGE,
            )
        return self.declared


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What an uploader works with; `workers` is how many parts are sent at a time."""

    calls: CallLog
    journal: Journal
    retry: Retry
    events: Events
    workers: int

    @property
    def stop(self) -> Stop:
        """Tells the work to end early."""
        return self.retry.stop

    def with_stop(self, stop: Stop) -> Means:
        """The same means for a job with its own stop."""
        return replace(self, retry=replace(self.retry, stop=stop))


@dataclass(frozen=True, slots=True)
class Done:
    """What a job did in its place; `entry` is for meta.json, None if there is nothing new to record.

    It is `cached` if nothing had to be done.
    """

    text: str
    entry: Entry | None = None
    cached: bool = False


@dataclass(frozen=True, slots=True)
class PlaceJob:
    """The work of a verb in one place: a region, a project or a bucket."""

    place: str
    work: Callable[[Means], Done]


Plan = Callable[[Task, Means], Sequence[PlaceJob]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploader:
    """An uploader: its verbs, its settings with a line about each, and the extra of bootimg with its SDK.

    Making it must not import the SDK.
    """

    name: str
    summary: str
    extra: str
    settings: Mapping[str, str]
    verbs: Mapping[Verb, Plan]


def sdk_missing(sdk: str, extra: str) -> BootimgError:
    """The error for an SDK that is not installed."""
    return BootimgError(
        "sdk-missing",
        f"{sdk} is not installed, and bootimg needs it for this cloud",
        hint=f"install bootimg with its extra: pipx install 'bootimg[{extra}]'",
        exit_code=ExitCode.ENVIRONMENT,
    )

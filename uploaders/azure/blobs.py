"""The page blob of a build: found by its name, and told from others by its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bootimg.cloud.plugin import BootimgError, Task

from .client import Azure
from .faults import AzureError
from .naming import blob_name, container_name

SHA256, BUILD, STATE, UPLOAD = "bootimg_sha256", "bootimg_build", "bootimg_state", "bootimg_upload"
"""Metadata of a blob; Azure wants names that are identifiers of C#."""
COMPLETE = "complete"
_BEGUN = "begun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page blob that is there; `token` is that of the upload which has begun it."""

    size: int
    etag: str
    complete: bool
    token: str


@dataclass(frozen=True, slots=True)
class Blob:
    """The place of a build's blob, and what the SDK does there."""

    azure: Azure
    container: str
    name: str
    client: Any

    @property
    def url(self) -> str:
        """The blob's URL, without a signature that the credentials may have in it."""
        return str(self.client.url).partition("?")[0]

    @property
    def account(self) -> str:
        """The storage account."""
        return str(self.client.account_name)

    @property
    def place(self) -> str:
        """The place of the work: account and container."""
        return f"{self.account}/{self.container}"

    def entry(self) -> Mapping[str, str]:
        """What meta.json has of it."""
        return {"image": self.name, "url": self.url}

    def find(self, task: Task) -> Found | None:
        """The blob of this very build; None if there is none, `cloud-image-foreign` if it is another's."""
        what = f"blob:GetBlobProperties of {self.name} in {self.place}"
        try:
            found = self.azure.read(what, self.client.get_blob_properties, expected=(404,))
        except AzureError:
            return None
        metadata = {key.lower(): value for key, value in (found.metadata or {}).items()}
        kind = str(getattr(found.blob_type, "value", found.blob_type))
        recorded = self.url in [each["url"] for each in task.entries]
        ours = metadata.get(SHA256) == task.content.sha256 or (recorded and SHA256 not in metadata)
        if kind != "PageBlob" or not ours:
            raise self._foreign(task, kind, metadata.get(SHA256))
        return Found(
            size=int(found.size),
            etag=str(found.etag),
            # An upload of coreos-assembler has no metadata, and was recorded at its end.
            complete=metadata.get(STATE) == COMPLETE or SHA256 not in metadata,
            token=metadata.get(UPLOAD, ""),
        )

    def metadata(self, task: Task, token: str, *, complete: bool) -> dict[str, str]:
        """The metadata of the build's blob."""
        state = COMPLETE if complete else _BEGUN
        build = f"{task.build}/{task.arch}"
        return {SHA256: task.content.sha256, BUILD: build, UPLOAD: token, STATE: state}

    def _foreign(self, task: Task, kind: str, sha256: str | None) -> BootimgError:
        return BootimgError(
            "cloud-image-foreign",
            f"{self.place} has another blob of the name {self.name}",
            context=[
                f"it is a {kind}, its {SHA256} is {sha256 or 'missing'}, and meta.json does not list it",
                f"the artifact of this build is {task.content.sha256}",
            ],
            hint="find out whose it is; delete it, or give the build another id",
        )


def blob_of(azure: Azure, task: Task) -> Blob:
    """The blob of a build, as the settings say."""
    container, name = container_name(task), blob_name(task)
    return Blob(azure, container, name, azure.blobs.get_blob_client(container, name))

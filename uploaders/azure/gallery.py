"""The image version of a build in a compute gallery: found by its name, told from others by its tags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bootimg.cloud.plugin import BootimgError, ExitCode, Task

from .client import Azure, Json
from .faults import AzureError
from .naming import SHA256, definition_name, version_name
from .version import Version

_ARCHES = {"x86_64": "x64", "aarch64": "Arm64"}
_BUSY = ("Creating", "Updating", "Migrating", "Deleting")
_EVERY, _LONGEST = 20.0, 4 * 60 * 60.0
_TRIES = 3
_PUT = "compute:GalleryImageVersions_CreateOrUpdate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """The place of a build's image version, and what the SDK does there."""

    azure: Azure
    client: Any
    group: str
    name: str
    definition: str
    version: str

    @property
    def place(self) -> str:
        """The version's name in messages."""
        return f"{self.name}/{self.definition}/{self.version}"

    def at(self, azure: Azure) -> Gallery:
        """The same place, for the means of a job."""
        return replace(self, azure=azure)

    def require_definition(self, arch: str) -> Json:
        """The image definition, which is for Linux and this architecture.

        Errors: `cloud-gallery-missing`, `cloud-setting-invalid`.
        """
        images = self.client.gallery_images

        def work() -> Json:
            return dict(images.get(self.group, self.name, self.definition).as_dict())

        found = self._looked("GalleryImages_Get", work)
        properties = found["properties"]
        has = properties.get("osType"), properties.get("osState"), properties.get("architecture") or "x64"
        if has != ("Linux", "Generalized", _ARCHES[arch]):
            raise self.azure.settings.invalid(
                f"the image definition {self.name}/{self.definition} is for {', '.join(map(str, has))},"
                f" not for Linux, Generalized, {_ARCHES[arch]}"
            )
        return found

    def sharing(self) -> Json:
        """With whom the gallery is shared."""
        galleries = self.client.galleries

        def work() -> Json:
            found = galleries.get(self.group, self.name, select="Permissions", expand="SharingProfile/Groups")
            return dict(found.as_dict())

        return dict(self._looked("Galleries_Get", work).get("properties", {}).get("sharingProfile") or {})

    def find(self) -> Version | None:
        """The version of this name; None if there is none."""
        versions = self.client.gallery_image_versions

        def work() -> Json:
            return dict(
                versions.get(
                    self.group, self.name, self.definition, self.version, expand="ReplicationStatus"
                ).as_dict()
            )

        what = f"compute:GalleryImageVersions_Get of {self.place}"
        try:
            return Version(answer=self.azure.read(what, work, expected=(404,)))
        except AzureError:
            return None

    def find_own(self, task: Task) -> Version | None:
        """The version of this very build; None if there is none, `cloud-image-foreign` if it is another's."""
        found = self.find()
        if found is None:
            return None
        tags = found.answer.get("tags") or {}
        if tags.get(SHA256) == task.content.sha256:
            return found
        raise BootimgError(
            "cloud-image-foreign",
            f"there is another image version {self.place}",
            context=[
                f"its tag {SHA256} is {tags.get(SHA256) or 'missing'}",
                f"the artifact of this build is {task.content.sha256}",
            ],
            hint="find out whose it is; delete it, or choose another with --set image_version=…",
        )

    def needed(self, task: Task) -> Version:
        """The version of this build, once no change of it runs; `cloud-image-missing` without one."""
        if self.find_own(task) is None:
            raise BootimgError(
                "cloud-image-missing",
                f"there is no image version {self.place}",
                hint="make it with bootimg replicate",
            )
        return self.settled()

    def settled(self) -> Version:
        """The version once no change of it runs."""

        def look() -> Version | None:
            found = self.find()
            return found if found is not None and found.state not in _BUSY else None

        what = f"the image version {self.place}"
        return self.azure.means.retry.wait_for(what, look, every=_EVERY, longest=_LONGEST)

    def put(self, body: Json, region: str) -> None:
        """Make or change the version; Azure goes on with it after its answer.

        Azure makes one change at a time, so one that runs is waited for.
        """
        versions = self.client.gallery_image_versions

        def work() -> None:
            versions.begin_create_or_update(
                self.group, self.name, self.definition, self.version, body, polling=False
            )

        parameters = {"GalleryImageVersion": self.place, **body}
        for tries_left in range(_TRIES, -1, -1):
            try:
                self.azure.write(region, _PUT, parameters, work, instead=None, expected=(409,))
                return
            except AzureError as error:
                if tries_left == 0 or self.find() is None:
                    raise error.error from None
                self.settled()

    def _looked(self, operation: str, work: Callable[[], Json]) -> Json:
        try:
            return self.azure.read(f"compute:{operation} of {self.name}", work, expected=(404,))
        except AzureError as error:
            raise BootimgError(
                "cloud-gallery-missing",
                f"Azure does not have the gallery {self.name} with the image definition {self.definition}",
                context=[f"resource group {self.group}: {error.code}", *error.error.context],
                hint="check `gallery`, `image_definition` and `resource_group`; docs/clouds/azure.md says how"
                " to make them",
                exit_code=ExitCode.USAGE,
            ) from None


def gallery_of(azure: Azure, task: Task) -> Gallery:
    """The version of a build in the settings' gallery."""
    settings = task.settings
    name = settings.needed("gallery", "name the compute gallery with --set gallery=…")
    hint = "name it with --set resource_group=…"
    group = settings.text("gallery_resource_group") or settings.needed("resource_group", hint)
    return Gallery(azure=azure, client=azure.compute, group=group, name=name,
                   definition=definition_name(task), version=version_name(task))  # fmt: skip

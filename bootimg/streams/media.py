"""release.json out of builds.

Which platform and format an image is comes from the platforms' plugins.  An image that no plugin makes is
published under its own key, so that a build is never published without what an older bootimg does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bootimg.errors import BootimgError, ExitCode
from bootimg.platform import Platform, UploadForm, platforms
from bootimg.streams.buildmeta import Built, BuiltFile, refuse_skipped
from bootimg.streams.release import Media, Release, ReleaseArch, ReleaseExtension
from bootimg.streams.stream import Artifact, ImageFormat
from bootimg.streams.uploads import container, extension, region_images, region_objects, single_image
from bootimg.urls import joined

METAL = "metal"
# Live media are no platform of their own: format and role below metal's.
_LIVE = {
    "live-iso": ("iso", "disk"),
    "live-kernel": ("pxe", "kernel"),
    "live-initramfs": ("pxe", "initramfs"),
    "live-rootfs": ("pxe", "rootfs"),
    "iso": ("installer.iso", "disk"),
    "kernel": ("installer-pxe", "kernel"),
    "initramfs": ("installer-pxe", "initramfs"),
}
_GPG_KEY, _SECEX = "ignition-gpg-key", "qemu-secex"
_NO_MEDIA = {"ostree", "oci-manifest", "extensions-container", "legacy-oscontainer", "dasd", _GPG_KEY}


@dataclass(frozen=True, slots=True)
class Published:
    """Where files are downloaded from: `base`/`stream`/builds/…, with a `.sig` beside each or not."""

    base: str
    stream: str
    signatures: bool = True

    def artifact(self, build: Built, file: BuiltFile) -> Artifact:
        """A file as metadata has it."""
        meta = build.meta
        location = joined(self.base, f"{self.stream}/builds/{meta.buildid}/{meta.basearch}/{file.path}")
        return Artifact(
            location=location,
            signature=f"{location}.sig" if self.signatures else None,
            sha256=file.sha256,
            uncompressed_sha256=file.uncompressed_sha256,
        )


def release_of(builds: Sequence[Built], published: Published) -> Release:
    """The release that these builds are, of one id and each of another architecture."""
    first = builds[0].meta
    arches: dict[str, ReleaseArch] = {}
    for build in builds:
        if build.meta.buildid != first.buildid or build.meta.basearch in arches:
            raise BootimgError(
                "stream-builds-mixed",
                "a release has one build of each architecture, all of one id",
                context=[f"{each.meta.basearch}: {each.meta.buildid}" for each in builds],
                hint="name one build, or make a stream, which may hold several releases",
                exit_code=ExitCode.USAGE,
            )
        arches[build.meta.basearch] = release_arch(build, published)
    return Release(first.buildid, published.stream, architectures=arches)


def release_arch(build: Built, published: Published) -> ReleaseArch:
    """One architecture of a release.

    `stream-disk-images-skipped` and `stream-nothing-published` if there can be none.
    """
    refuse_skipped(build)
    media: dict[str, Media] = {}
    for key, file in build.meta.images.items():
        if key not in _NO_MEDIA:
            _add(media, key, file, build, published)
    for platform in platforms().values():
        _add_uploads(media, platform, build)
    if not media:
        raise BootimgError(
            "stream-nothing-published",
            f"build {build.meta.buildid} ({build.meta.basearch}) has no disk image and no cloud image",
            hint="make some with `bootimg build --from BUILD -p PLATFORM`",
            exit_code=ExitCode.USAGE,
        )
    return ReleaseArch(
        media,
        # A layer that was imported has no commit that anybody could pull.
        commit=None if build.meta.oci_imported else build.meta.ostree_commit,
        oci_image=container(build, "base-oscontainer"),
        rhel_coreos_extensions=_extensions(build),
    )


def _add(media: dict[str, Media], key: str, file: BuiltFile, build: Built, published: Published) -> None:
    platform, name, role = _place(key, file, build)
    before = media.get(platform, Media({}))
    found = replace(before.artifacts.get(name, ImageFormat()), **{role: published.artifact(build, file)})
    secret = build.meta.images.get(_GPG_KEY) if platform == _SECEX else None
    media[platform] = replace(
        before,
        artifacts={**before.artifacts, name: found},
        ignition_gpg_key=published.artifact(build, secret) if secret else None,
    )


def _place(key: str, file: BuiltFile, build: Built) -> tuple[str, str, str]:
    """Platform, format and role of an image."""
    if key in _LIVE:
        return METAL, *_LIVE[key]
    plugin = next((each for each in platforms().values() if each.image_key == key), None)
    marker = f"-{plugin.name if plugin else key}.{build.meta.basearch}."
    _, found, suffix = file.path.partition(marker)
    if not found or not suffix:
        raise build.reader.error(f"images.{key}.path", f"is not …{marker}…: {file.path}")
    if plugin is None:
        return key, suffix, "disk"
    return plugin.release_key[0], plugin.release_prefix + suffix, "disk"


def _add_uploads(media: dict[str, Media], platform: Platform, build: Built) -> None:
    for upload in platform.uploads:
        if upload.extension is not None:
            continue
        name = platform.release_key[0]
        before = media.get(name, Media({}))
        if upload.form is UploadForm.REGION_IMAGES:
            after = replace(before, images=region_images(build, upload))
        elif upload.form is UploadForm.REGION_OBJECTS:
            after = replace(before, images=region_objects(build, upload))
        else:
            after = replace(before, image=single_image(build, upload))
        if after != Media({}):
            media[name] = after


def _extensions(build: Built) -> Mapping[str, ReleaseExtension]:
    uploads = [each for platform in platforms().values() for each in platform.uploads if each.extension]
    found = {str(each.extension): extension(build, each) for each in uploads}
    return {name: each for name, each in found.items() if each is not None}

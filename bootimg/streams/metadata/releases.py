"""Makes release.json from builds.

The platforms' plugins decide the platform and format of an image.  An image without a plugin is published
under its own key, so that an older bootimg does not omit images that it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bootimg.errors import BootimgError, ExitCode
from bootimg.platform import Platform, UploadForm, platforms
from bootimg.streams.metadata.buildmeta import Built, BuiltFile, refuse_skipped
from bootimg.streams.metadata.release import Media, Release, ReleaseArch, ReleaseExtension
from bootimg.streams.metadata.stream import ImageFormat, StreamArtifact
from bootimg.streams.metadata.uploads import container, extension, region_images, region_objects, single_image
from bootimg.targets import IGNITION_KEY, SECEX, Place, TargetFile, target_file
from bootimg.urls import joined


@dataclass(frozen=True, slots=True)
class Published:
    """The download location of files: `base`/`stream`/builds/…, with a `.sig` beside each or not."""

    base: str
    stream: str
    signatures: bool = True

    def artifact(self, build: Built, file: BuiltFile) -> StreamArtifact:
        """The metadata entry of a file."""
        meta = build.meta
        location = joined(self.base, f"{self.stream}/builds/{meta.buildid}/{meta.basearch}/{file.path}")
        return StreamArtifact(
            location=location,
            signature=f"{location}.sig" if self.signatures else None,
            sha256=file.sha256,
            uncompressed_sha256=file.uncompressed_sha256,
        )


def release_of(builds: Sequence[Built], published: Published) -> Release:
    """The release of these builds, which must have the same id and different architectures."""
    first = builds[0].meta
    arches: dict[str, ReleaseArch] = {}
    for build in builds:
        if build.meta.buildid != first.buildid or build.meta.basearch in arches:
            raise BootimgError(
                "stream-builds-mixed",
                "a release has one build per architecture, all with the same id",
                context=[f"{each.meta.basearch}: {each.meta.buildid}" for each in builds],
                hint="name one build, or make a stream, which may hold several releases",
                exit_code=ExitCode.USAGE,
            )
        arches[build.meta.basearch] = release_arch(build, published)
    return Release(first.buildid, published.stream, architectures=arches)


def release_arch(build: Built, published: Published) -> ReleaseArch:
    """One architecture of a release.

    Errors: `stream-disk-images-skipped`, `stream-nothing-published`.
    """
    refuse_skipped(build)
    media: dict[str, Media] = {}
    for key, file in build.meta.images.items():
        declared = target_file(key) or TargetFile(key=key, place=Place(platform=key))
        if declared.place is not None:
            _add(media, declared, declared.place, file, build, published)
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
        # The commit of an imported layer is not published, so nothing can pull it.
        commit=None if build.meta.oci_imported else build.meta.ostree_commit,
        oci_image=container(build, "base-oscontainer"),
        rhel_coreos_extensions=_extensions(build),
    )


def _add(
    media: dict[str, Media],
    declared: TargetFile,
    place: Place,
    file: BuiltFile,
    build: Built,
    published: Published,
) -> None:
    name = place.format or place.prefix + _suffix(declared, file, build)
    before = media.get(place.platform, Media({}))
    found = replace(
        before.artifacts.get(name, ImageFormat()), **{place.role: published.artifact(build, file)}
    )
    secret = build.meta.images.get(IGNITION_KEY) if declared.key in SECEX.listed_keys else None
    media[place.platform] = replace(
        before,
        artifacts={**before.artifacts, name: found},
        ignition_gpg_key=published.artifact(build, secret) if secret else None,
    )


def _suffix(declared: TargetFile, file: BuiltFile, build: Built) -> str:
    """The part of the file's name after the architecture, without the dot."""
    marker = f"-{declared.label or declared.key}.{build.meta.basearch}."
    _, found, suffix = file.path.partition(marker)
    if not found or not suffix:
        raise build.reader.error(f"images.{declared.key}.path", f"is not …{marker}…: {file.path}")
    return suffix


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

"""The images in clouds and registries that a build's meta.json lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bootimg.browse.cloudlinks import image_link
from bootimg.browse.tree import ArchBuild
from bootimg.builds.layout import META
from bootimg.errors import BootimgError
from bootimg.platform import Upload, UploadForm, platforms
from bootimg.streams.metadata.buildmeta import Built, built
from bootimg.streams.metadata.release import ReleaseImage
from bootimg.streams.metadata.uploads import extension, region_images, region_objects, single_image


@dataclass(frozen=True, slots=True)
class Image:
    """The words for an image, and the link to its page in the cloud, if there is one."""

    text: str
    link: str | None


@dataclass(frozen=True, slots=True)
class Cloud:
    """The images of one uploader, by region, or one image under an empty name."""

    title: str
    images: Mapping[str, Image]


def clouds(build: ArchBuild) -> Sequence[Cloud]:
    """The images of each platform; uploads that cannot be parsed are omitted."""
    if not build.meta:
        return []
    try:
        source = built(dict(build.meta), str(build.folder / META))
    except BootimgError:
        return []
    return [*_clouds(source)]


def _clouds(build: Built) -> Iterator[Cloud]:
    for platform in platforms().values():
        for upload in platform.uploads:
            images = _images(build, upload)
            title = (
                platform.summary if upload.extension is None else f"{platform.summary}: {upload.extension}"
            )
            if images:
                yield Cloud(title, images)


def _images(build: Built, upload: Upload) -> Mapping[str, Image]:
    try:
        return {
            region: Image(_words(each), image_link(upload, region, each))
            for region, each in _found(build, upload).items()
        }
    except BootimgError:
        return {}


def _found(build: Built, upload: Upload) -> Mapping[str, ReleaseImage]:
    if upload.extension is not None:
        extra = extension(build, upload)
        return {} if extra is None else extra.images or {"": ReleaseImage(url=extra.url)}
    if upload.form is UploadForm.REGION_IMAGES:
        return region_images(build, upload)
    if upload.form is UploadForm.REGION_OBJECTS:
        return region_objects(build, upload)
    image = single_image(build, upload)
    return {} if image is None else {"": image}


def _words(image: ReleaseImage) -> str:
    project = f"{image.project}/" if image.project and image.name else ""
    return image.digest_ref or image.image or image.url or f"{project}{image.name or image.object or ''}"

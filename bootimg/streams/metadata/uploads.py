"""The uploaders' entries in meta.json, converted for release.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bootimg.errors import BootimgError
from bootimg.platform import Upload, UploadForm
from bootimg.printable import printable
from bootimg.streams.metadata.buildmeta import Built
from bootimg.streams.metadata.release import ReleaseExtension, ReleaseImage


@dataclass(frozen=True, slots=True)
class _Container:
    image: str
    digest: str
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Project:
    image: str
    project: str | None = None
    family: str | None = None


@dataclass(frozen=True, slots=True)
class _Object:
    region: str
    object: str
    bucket: str
    url: str


@dataclass(frozen=True, slots=True)
class _Url:
    url: str


def region_images(build: Built, upload: Upload) -> Mapping[str, ReleaseImage]:
    """The images of an upload by region; empty without that upload."""
    entries = build.reader.value(Sequence[Mapping[str, str]], _texts(build, upload), upload.meta_key)
    found = {}
    for entry in entries:
        if "name" not in entry or upload.id_field not in entry:
            raise build.reader.error(upload.meta_key, f"has no name or no {upload.id_field}")
        found[entry["name"]] = ReleaseImage(image=entry[upload.id_field])
    return found


def _texts(build: Built, upload: Upload) -> object:
    """The list without the entries' other values, which may have any type."""
    entries = build.tree.get(upload.meta_key) or []
    wanted = ("name", upload.id_field)
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise build.reader.error(upload.meta_key, "is not a list of objects")
    return [{key: each[key] for key in wanted if each.get(key) is not None} for each in entries]


def region_objects(build: Built, upload: Upload) -> Mapping[str, ReleaseImage]:
    """The objects of an upload by region."""
    entries = build.tree.get(upload.meta_key) or []
    found = build.reader.value(Sequence[_Object], entries, upload.meta_key)
    return {each.region: ReleaseImage(object=each.object, bucket=each.bucket, url=each.url) for each in found}


def single_image(build: Built, upload: Upload) -> ReleaseImage | None:
    """A project's image, or a container image."""
    entry = build.tree.get(upload.meta_key)
    if entry is None:
        return None
    if upload.form is UploadForm.CONTAINER:
        return container(build, upload.meta_key)
    found = build.reader.read(_Project, entry, upload.meta_key)
    return ReleaseImage(project=found.project, family=found.family, name=found.image)


def container(build: Built, key: str) -> ReleaseImage | None:
    """A pushed container image, with its floating tag and its digest."""
    entry = build.tree.get(key)
    if entry is None:
        return None
    found = build.reader.read(_Container, entry, key)
    tag = floating_tag(build, key, found.tags)
    return ReleaseImage(image=f"{found.image}:{tag}", digest_ref=f"{found.image}@{found.digest}")


def floating_tag(build: Built, key: str, tags: Sequence[str]) -> str:
    """The only tag that does not contain the build's id; coreos-assembler requires exactly one."""
    floating = [each for each in tags if build.meta.buildid not in each]
    if len(floating) != 1:
        raise BootimgError(
            "stream-tag-ambiguous",
            f"{build.name}: {key} needs exactly one tag without the build's id",
            context=[f"its tags: {printable(', '.join(tags)) or 'none'}"],
            hint="push the image under one tag that moves from build to build, such as the stream's name",
        )
    return floating[0]


def extension(build: Built, upload: Upload) -> ReleaseExtension | None:
    """An entry of `rhel-coreos-extensions`."""
    if build.tree.get(upload.meta_key) is None:
        return None
    if upload.form is UploadForm.URL:
        return ReleaseExtension(url=build.reader.read(_Url, build.tree[upload.meta_key], upload.meta_key).url)
    images = region_images(build, upload)
    return ReleaseExtension(images=images) if images else None

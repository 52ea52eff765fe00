"""OCI images: manifest, config, index and labels, directories and archives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from tarfile import open as open_tar
from tempfile import TemporaryDirectory

from bootimg.arch import Arch
from bootimg.builds.layout import artifact_name
from bootimg.checks.system import System
from bootimg.checks.versionrules import version_findings
from bootimg.layer.declared.facts import osname_of, version_of
from bootimg.layer.fetching.fetch import inspect
from bootimg.layer.image.fetched import Image, build_image
from bootimg.layer.image.manifestchoice import (
    architectures,
    by_tag,
    check_usable,
    descriptors,
    instance,
    is_index,
)
from bootimg.untrusted.budget import Budget
from tests.fuzz.mutate import SEPARATOR, json_documents
from tests.fuzz.target import refusals, target
from tests.support.layers import oci
from tests.support.layers.encapsulated import SYSTEM, Commit

WORDS = ("mediaType", "manifests", "annotations", "platform", "artifactType", "digest", "size", "config",
         "Labels", "diff_ids", "created", "architecture", "ostree.final-diffid", "ostree.commit",
         oci.OCI + "index.v1+json")  # fmt: skip


@cache
def _layout() -> dict[str, bytes]:
    """The files of a small layout."""
    with TemporaryDirectory() as folder:
        layout = oci.Layout(Path(folder) / "image")
        layout.add([oci.tar(oci.file("a", b"a"))], tag="latest")
        files = [path for path in layout.path.rglob("*") if path.is_file()]
        return {str(path.relative_to(layout.path)): path.read_bytes() for path in files}


def _documents() -> tuple[bytes, bytes]:
    """Its manifest and its config."""
    (descriptor,) = json.loads(_layout()["index.json"])["manifests"]
    manifest = _blob(descriptor["digest"])
    return manifest, _blob(json.loads(manifest)["config"]["digest"])


def _blob(digest: str) -> bytes:
    return _layout()[f"blobs/{digest.replace(':', '/')}"]


def _described() -> Iterator[bytes]:
    manifest, config = _documents()
    yield SEPARATOR.join((manifest, config))
    annotated = json.loads(manifest) | {
        "annotations": {"org.opencontainers.image.created": "2026-11-01T00:00:00.5Z"}
    }
    yield SEPARATOR.join((json.dumps(annotated).encode(), config))
    commit = Commit(SYSTEM)
    settings = json.loads(config)
    labels = commit.labels([oci.tar(oci.file("a", b"a"))])
    labels["ostree.final-diffid"] = settings["rootfs"]["diff_ids"][0]
    yield SEPARATOR.join((manifest, json.dumps(settings | {"config": {"Labels": labels}}).encode()))


@target(_described, words=WORDS, mutate=json_documents, runs=1000)
def oci_image(data: bytes, folder: Path) -> None:
    """A manifest and a config, and what is read of them later."""
    manifest, _, config = data.partition(SEPARATOR)
    with refusals():
        image = build_image("a/b:c", manifest, config, Arch.X86_64, Budget())
        for each in (check_usable, _named, _read, _verified):
            with refusals():
                each(image)


def _named(image: Image) -> None:
    name = artifact_name(osname_of(image), version_of(image), "qemu", image.arch, "qcow2")
    assert Path(name).name == name and len(name) <= 255
    name.encode()


def _read(image: Image) -> None:
    assert image.created >= 0
    json.dumps([image.version, image.osname, image.size, dict(image.labels)])


def _verified(image: Image) -> None:
    list(version_findings(_system(image)))


def _system(image: Image) -> System:
    return System(
        where="the layer",
        labels=image.labels,
        os_release={},
        content=_Nothing(),
        packages=None,
        unreadable=None,
    )


class _Nothing:
    def names(self, folder: str) -> list[str]:
        return []

    def text(self, path: str) -> str:
        return ""

    def has_file(self, path: str) -> bool:
        return False


def _indexes() -> Iterator[bytes]:
    one = {"digest": "sha256:" + "0" * 64, "platform": {"architecture": "amd64", "os": "linux"}}
    tagged = {"digest": "sha256:" + "1" * 64, "annotations": {"org.opencontainers.image.ref.name": "latest"}}
    yield json.dumps({"manifests": [one, {**one, "artifactType": "x"}]}).encode()
    yield json.dumps({"manifests": [tagged, {**tagged, "platform": {"architecture": "arm64"}}]}).encode()


@target(_indexes, words=WORDS, mutate=json_documents, runs=1500)
def oci_index(data: bytes, folder: Path) -> None:
    """An index: which manifest of it is meant."""
    for tag in (None, "latest"):
        with refusals():
            found = by_tag(descriptors(data), tag, "dir")
            names = architectures(found, lambda _: _documents()[0], lambda _: _documents()[1])
            assert all(isinstance(name, str) for name in names)
            assert not is_index(instance(found, Arch.X86_64, "dir", lambda _: _documents()[0]))


@target(lambda: [_layout()["index.json"]], words=WORDS, mutate=json_documents, runs=400)
def oci_directory(data: bytes, folder: Path) -> None:
    """An OCI directory with this index.json; manifests and blobs are checked by their digests."""
    path = folder / "image"
    if not path.exists():
        for name, content in _layout().items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
    (path / "index.json").write_bytes(data)
    with refusals():
        inspect(str(path), Arch.X86_64)


def _archive() -> bytes:
    output = BytesIO()
    with TemporaryDirectory() as folder, open_tar(fileobj=output, mode="w") as archive:
        for name, content in _layout().items():
            path = Path(folder) / "file"
            path.write_bytes(content)
            archive.add(path, name)
    return output.getvalue()


@target(lambda: [_archive()], longest=32768, runs=400)
def oci_archive(data: bytes, folder: Path) -> None:
    path = folder / "image.ociarchive"
    path.write_bytes(data)
    with refusals():
        inspect(str(path), Arch.X86_64)

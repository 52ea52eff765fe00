"""The real readers of stream metadata take ours: the Go types of clusters' programs, coreos-installer."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from bootimg.sizes import MIB
from bootimg.streams.lint.check import lint
from bootimg.streams.lint.findings import Against
from bootimg.streams.metadata import releaseindex as release_index
from bootimg.streams.metadata.buildchoice import read_builds
from bootimg.streams.metadata.buildmeta import built
from bootimg.streams.metadata.bump import stream_of, with_marketplace
from bootimg.streams.metadata.cloudimages import CloudImage
from bootimg.streams.metadata.releases import Published, release_of
from bootimg.streams.metadata.stream import Extensions, Metadata, Stream, StreamArch, parse_stream
from tests.layer import tools
from tests.layer.tools import streamreader
from tests.support.builds import streams
from tests.unit.streams import test_four_arches
from tests.unit.streams.test_metadata import GOLDEN, sold
from tests.unit.streams.test_stream_json import GO_CLOUDS, any_stream, go_clouds, go_extensions

pytestmark = pytest.mark.real

THEN = Metadata("2026-04-28T22:40:00Z", "bootimg stream 0.1.0")


@pytest.fixture(scope="module")
def reader() -> Path:
    """stream-reader, which passes JSON through the types of stream-metadata-go."""
    if reason := streamreader.why_not():
        pytest.skip(reason)
    return streamreader.stream_reader()


@pytest.fixture(scope="module")
def installer() -> Path:
    """The compiled coreos-installer."""
    if reason := tools.why_not("coreos-installer"):
        pytest.skip(reason)
    return tools.program("coreos-installer")


def through_go(reader: Path, what: str, data: bytes) -> bytes:
    done = subprocess.run([reader, what], input=data, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def stream(signatures: bool = False) -> Stream:
    builds = [built(streams.meta(arch), arch) for arch in streams.IMAGES]
    return stream_of(builds, Published(streams.BASE, streams.STREAM, signatures), THEN)


def test_go_writes_the_golden_file_back_byte_for_byte(reader: Path) -> None:
    assert through_go(reader, "stream", GOLDEN.read_bytes()) == GOLDEN.read_bytes()


def test_go_reads_every_platform_of_every_architecture(reader: Path) -> None:
    data = test_four_arches.the_stream().encoded()
    assert through_go(reader, "stream", data) == data


def test_go_makes_that_stream_of_the_release_of_the_four(reader: Path) -> None:
    release = release_of(test_four_arches.builds(), test_four_arches.PUBLISHED)
    release = replace(release, metadata=Metadata(THEN.last_modified))
    wanted = replace(test_four_arches.the_stream(), metadata=Metadata(THEN.last_modified))
    assert through_go(reader, "release", release.encoded()) == wanted.encoded()


@pytest.mark.parametrize("signatures", [False, True])
def test_go_writes_what_we_write_marketplace_included(reader: Path, signatures: bool) -> None:
    data = with_marketplace(stream(signatures), sold()).encoded()
    assert b'"ocp-emea"' in data
    assert b"aws-winli" in data
    assert through_go(reader, "stream", data) == data


def test_go_makes_the_same_stream_of_our_release(reader: Path) -> None:
    builds = [built(streams.meta(arch), arch) for arch in streams.IMAGES]
    release = release_of(builds, Published(streams.BASE, streams.STREAM))
    release = replace(release, metadata=Metadata(THEN.last_modified))
    wanted = replace(stream(signatures=True), metadata=Metadata(THEN.last_modified))
    assert through_go(reader, "release", release.encoded()) == wanted.encoded()


def test_go_writes_the_index_back_byte_for_byte(reader: Path) -> None:
    index = release_index.parse_index(b"{}", "releases.json", streams.STREAM)
    for version in ("9.8.20260428-0", "9.8.20260501-0"):
        container = {"image": "quay.io/a/<&>", "digest": f"sha256:{'1' * 64}", "tags": ["9.8"]}
        builds = [
            built(streams.meta(arch, version) | {"base-oscontainer": container}, arch)
            for arch in streams.IMAGES
        ]
        published = Published(streams.BASE, streams.STREAM)
        release = release_index.index_release(release_of(builds, published), published)
        index = release_index.with_release(index, streams.STREAM, release, Metadata("2026-04-28T22:40:00Z"))
    assert len(index.releases[1].oci_images) == len(streams.IMAGES)
    assert through_go(reader, "index", index.encoded()) == index.encoded()


@given(any_stream)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_go_writes_any_stream_as_we_do(reader: Path, found: Stream) -> None:
    # Go has no place for clouds of other names than its own.
    arches = {name: replace(each, images={}) for name, each in found.architectures.items()}
    data = replace(found, architectures=arches).encoded()
    assert through_go(reader, "stream", data) == data


@given(go_clouds, go_extensions)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_go_writes_any_clouds_as_we_do(
    reader: Path, images: Mapping[str, CloudImage], extensions: Extensions
) -> None:
    data = Stream("s", THEN, {"x86_64": StreamArch({}, images, extensions)}).encoded()
    assert through_go(reader, "stream", data) == data


@pytest.mark.parametrize("image", ["{}", '{"release": ""}', '{"regions": null}', '{"regions": {}}'])
def test_go_fills_what_is_not_there_as_we_do(reader: Path, image: str) -> None:
    arches = [
        f'"{name}": {{"images": {{"{name}": {image}}}}}'
        for name in GO_CLOUDS
        if "regions" not in image or name not in ("gcp", "kubevirt")
        if "release" not in image or name in ("gcp", "kubevirt")
    ]
    text = f'{{"stream": "", "metadata": {{"last-modified": ""}}, "architectures": {{{", ".join(arches)}}}}}'
    written = parse_stream(text.encode(), "text").encoded()
    assert through_go(reader, "stream", text.encode()) == written
    nothing = b'{"stream": "s", "metadata": {"last-modified": ""}}'
    assert through_go(reader, "stream", nothing) == parse_stream(nothing, "nothing").encoded()


def served_stream(folder: Path, url: str, *, signatures: bool) -> Stream:
    """A stream of builds below the folder, and its file in streams/ there."""
    builds = read_builds([], folder / streams.STREAM / "builds", None, None)
    found = stream_of(builds, Published(url, streams.STREAM, signatures), THEN)
    (folder / "streams").mkdir(exist_ok=True)
    (folder / "streams" / f"{found.stream}.json").write_bytes(found.encoded())
    return found


def run(installer: Path, verb: str, url: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    base = ["--stream", streams.STREAM, "--stream-base-url", f"{url}/streams/"]
    return subprocess.run([installer, verb, *base, *words], capture_output=True, text=True, timeout=120)


def rows(text: str) -> set[tuple[str, ...]]:
    return {tuple(line.split()) for line in text.splitlines()[1:]}


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Builds whose files can be downloaded, without their signatures."""
    builds = streams.write_builds(tmp_path / streams.STREAM / "builds", files=True)
    for signature in builds.rglob("*.sig"):
        signature.unlink()
    for image in builds.rglob(f"{streams.NAME}-*"):
        # coreos-installer takes nothing smaller for an image.
        with image.open("r+b") as file:
            file.truncate(2 * MIB)
    return tmp_path


def test_coreos_installer_lists_all_formats(installer: Path, published: Path) -> None:
    with streams.served(published) as url:
        found = served_stream(published, url, signatures=True)
        done = run(installer, "list-stream", url)
    assert done.returncode == 0, done.stderr
    assert rows(done.stdout) == {
        (arch, name, form)
        for arch, each in found.architectures.items()
        for name, platform in each.artifacts.items()
        for form in platform.formats
    }


@pytest.mark.parametrize(
    ("arch", "platform", "form", "files"),
    [
        ("x86_64", "metal", "raw.gz", ["metal.x86_64.raw.gz"]),
        ("s390x", "metal", "4k.raw.gz", ["metal4k.s390x.raw.gz"]),
        ("aarch64", "metal", "pxe",
         ["live-kernel.aarch64", "live-initramfs.aarch64.img", "live-rootfs.aarch64.img"]),
        ("ppc64le", "metal", "iso", ["live-iso.ppc64le.iso"]),
    ],
)  # fmt: skip
def test_coreos_installer_downloads(
    installer: Path, published: Path, arch: str, platform: str, form: str, files: Sequence[str]
) -> None:
    """Nobody but Fedora can make a signature that it believes: it is told to do without."""
    target = published / "downloads"
    target.mkdir()
    with streams.served(published) as url:
        served_stream(published, url, signatures=True)
        words = ("-a", arch, "-p", platform, "-f", form)
        refused = run(installer, "download", url, *words, "-C", target)
        done = run(installer, "download", url, *words, "-C", target, "--insecure")
    assert refused.returncode != 0
    assert "signature not found" in refused.stderr
    assert done.returncode == 0, done.stderr
    names = [f"{streams.NAME}-{streams.VERSION}-{each}" for each in files]
    assert sorted(each.name for each in target.iterdir()) == sorted(names)
    folder = published / streams.STREAM / "builds" / streams.VERSION / arch
    assert all((target / name).read_bytes() == (folder / name).read_bytes() for name in names)


def test_lint_knows_when_coreos_installer_cannot_read_a_stream(installer: Path, published: Path) -> None:
    with streams.served(published) as url:
        unsigned = served_stream(published, url, signatures=False)
        done = run(installer, "list-stream", url)
        found = lint(unsigned, Against(base=url, signatures=True))
        signed = lint(served_stream(published, url, signatures=True), Against(base=url, signatures=True))
    assert done.returncode != 0
    assert "signature" in done.stderr
    assert {each.rule for each in found} == {"signature-missing"}
    assert signed == []


def test_one_unsigned_artifact_spoils_the_stream_for_all(installer: Path, published: Path) -> None:
    with streams.served(published) as url:
        found = served_stream(published, url, signatures=True)
        tree = json.loads(found.encoded())
        del tree["architectures"]["s390x"]["artifacts"]["qemu"]["formats"]["qcow2.gz"]["disk"]["signature"]
        (published / "streams" / f"{streams.STREAM}.json").write_text(json.dumps(tree))
        assert run(installer, "list-stream", url).returncode != 0

"""Every rule of `stream lint`: broken by one change, and by nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bootimg.errors import BootimgError
from bootimg.platform import platforms
from bootimg.streams.lint.check import lint
from bootimg.streams.lint.findings import Against, Level
from bootimg.streams.metadata import download
from bootimg.streams.metadata.buildchoice import read_builds
from bootimg.streams.metadata.buildmeta import built
from bootimg.streams.metadata.bump import bump, stream_of
from bootimg.streams.metadata.releases import Published
from bootimg.streams.metadata.sources import LocalBuilds, RemoteBuilds
from bootimg.streams.metadata.stream import Metadata, Stream, parse_stream
from tests.support.builds import streams
from tests.unit.streams.test_metadata import GOLDEN, NEWER, PUBLISHED, THEN, every, one

Tree = dict[str, Any]
X = "x86_64"


def golden() -> Stream:
    return parse_stream(GOLDEN.read_bytes(), "golden")


def edited(edit: Callable[[Tree], object]) -> Stream:
    tree = json.loads(GOLDEN.read_bytes())
    edit(tree)
    return parse_stream(json.dumps(tree).encode(), "edited")


def rules(stream: Stream, against: Against | None = None, level: Level = Level.ERROR) -> set[tuple[str, str]]:
    found = lint(stream, against or Against())
    return {(each.rule, each.place) for each in found if each.level is level}


STRICT = Against(strict=True)


def artifact(tree: Tree, platform: str = "qemu", form: str = "qcow2.gz") -> Tree:
    found: Tree = tree["architectures"][X]["artifacts"][platform]["formats"][form]["disk"]
    return found


def moved(tree: Tree, old: str, new: str) -> None:
    """Another location for the qemu image."""
    artifact(tree)["location"] = artifact(tree)["location"].replace(old, new)


def test_a_good_stream_has_one_warning_of_what_it_is_not_for() -> None:
    (only,) = lint(golden(), Against(name=streams.STREAM, previous=golden(), base=streams.BASE))
    assert (only.rule, only.level) == ("signature-missing", Level.WARNING)


def test_a_signed_stream_has_nothing_at_all() -> None:
    signed = stream_of(every(), Published(streams.BASE, streams.STREAM), THEN)
    assert (
        lint(signed, Against(signatures=True, expected=[platforms()["qemu"], platforms()["metal4k"]])) == []
    )


BROKEN: dict[str, tuple[Callable[[Tree], object], set[tuple[str, str]]]] = {
    "no formats": (
        lambda t: t["architectures"]["s390x"]["artifacts"]["metal"].update(formats={}),
        {("empty-formats", "s390x artifacts metal")},
    ),
    "null formats": (
        lambda t: t["architectures"]["s390x"]["artifacts"]["metal"].update(formats=None),
        {("empty-formats", "s390x artifacts metal")},
    ),
    "no files": (
        lambda t: t["architectures"][X]["artifacts"]["metal"]["formats"].update(pxe={}),
        {("empty-formats", f"{X} artifacts metal pxe")},
    ),
    "no artifacts": (
        lambda t: t["architectures"]["s390x"].update(artifacts={}),
        {("empty-architecture", "s390x")},
    ),
    "no architectures": (lambda t: t.update(architectures={}), {("empty-stream", "architectures")}),
    "no regions": (
        lambda t: t["architectures"][X]["images"].update(aws={}), {("empty-images", f"{X} images aws")}
    ),
    "no extensions": (
        lambda t: t["architectures"]["aarch64"].pop("rhel-coreos-extensions"),
        {("missing-extensions", "aarch64 rhel-coreos-extensions")},
    ),
    "a bad digest": (
        lambda t: artifact(t).update(sha256="AB"), {("digest-malformed", f"{X} artifacts qemu qcow2.gz disk")}
    ),
    "no uncompressed digest": (
        lambda t: artifact(t).pop("uncompressed-sha256"),
        {("digest-missing", f"{X} artifacts qemu qcow2.gz disk")},
    ),
    "an uncompressed digest too many": (
        lambda t: artifact(t, platform="nutanix", form="qcow2").update({"uncompressed-sha256": "ab" * 32}),
        {("digest-needless", f"{X} artifacts nutanix qcow2 disk")},
    ),
    "a zip without it": (
        lambda t: t["architectures"][X]["artifacts"]["qemu"]["formats"].update(
            {"vhdx.zip": {"disk": {key: each for key, each in artifact(t).items() if "un" not in key}}}
        ),
        {("digest-missing", f"{X} artifacts qemu vhdx.zip disk")},
    ),
    "a signature for one": (
        lambda t: artifact(t).update(signature=artifact(t)["location"] + ".sig"), set(),
    ),
    "a location of another shape": (
        lambda t: artifact(t).update(location="https://example.com/qemu.qcow2.gz"),
        {("url-shape", f"{X} artifacts qemu qcow2.gz disk")},
    ),
    "a file of another architecture": (
        lambda t: moved(t, "x86_64", "s390x"),
        {("url-shape", f"{X} artifacts qemu qcow2.gz disk")},
    ),
    "a file of another build": (
        lambda t: moved(t, streams.VERSION, NEWER),
        {("url-shape", f"{X} artifacts qemu qcow2.gz disk")},
    ),
    "a file of another stream": (
        lambda t: moved(t, streams.STREAM, "c9s"),
        {("stream-name", "stream")},
    ),
    "another server": (
        lambda t: moved(t, "rhcos.", "rhcos2."),
        {("url-base", "architectures")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_rule_finds_what_breaks_it(name: str) -> None:
    edit, wanted = BROKEN[name]
    for against in (Against(), STRICT):
        found = rules(edited(edit), against)
        assert wanted <= found
        if wanted:
            assert {rule for rule, _ in found} == {rule for rule, _ in wanted}
        else:
            assert {rule for rule, _ in found} == {"signature-missing"}
            assert len(found) == len(_files(golden(), [] if against.strict else [X])) - 1


def _renamed_kernel(tree: Tree) -> None:
    kernel = tree["architectures"]["aarch64"]["artifacts"]["metal"]["formats"]["pxe"]["kernel"]
    kernel["location"] = kernel["location"].replace("-live-kernel.aarch64", "-live-kernel-aarch64")


def _old_layout(tree: Tree) -> None:
    """Where RHEL CoreOS was until 4.12: each architecture but one is a stream of its own."""
    tree["stream"] = "rhcos-4.12"
    for arch, each in tree["architectures"].items():
        name = "rhcos-4.12" if arch == X else f"rhcos-4.12-{arch}"
        for platform in each["artifacts"].values():
            for form in platform["formats"].values():
                for file in form.values():
                    file["location"] = file["location"].replace(
                        f"/prod/streams/{streams.STREAM}/builds/", f"/releases/{name}/"
                    )


def _other_stream(tree: Tree) -> None:
    for platform in tree["architectures"]["s390x"]["artifacts"].values():
        for form in platform["formats"].values():
            for file in form.values():
                file["location"] = file["location"].replace(f"/{streams.STREAM}/", "/c9s/")


def _other_server(tree: Tree) -> None:
    for platform in tree["architectures"]["s390x"]["artifacts"].values():
        for form in platform["formats"].values():
            for file in form.values():
                file["location"] = file["location"].replace("//rhcos.", "//rhcos-redirector.")


def _unsigned_arch(tree: Tree) -> None:
    for arch, each in tree["architectures"].items():
        for platform in each["artifacts"].values() if arch != "s390x" else ():
            for form in platform["formats"].values():
                for file in form.values():
                    file["signature"] = f"{file['location']}.sig"


# What installers have shipped, each by a file that breaks nothing else.
SHIPPED: dict[str, tuple[Callable[[Tree], object], set[tuple[str, str]]]] = {
    "a name that plume left": (lambda t: t.update(stream="rhcos-4.21"), {("stream-name", "stream")}),
    "an architecture of another stream": (_other_stream, {("stream-name", "stream")}),
    "an architecture on another server": (_other_server, {("url-base", "architectures")}),
    "a kernel of live media": (_renamed_kernel, {("url-shape", "aarch64 artifacts metal pxe kernel")}),
    "the old layout": (_old_layout, {("url-shape", f"{X} artifacts qemu qcow2.gz disk")}),
    "signatures of some architectures": (
        _unsigned_arch, {("signature-missing", "s390x artifacts qemu qcow2.gz disk")}
    ),
    "an image without a release": (
        lambda t: t["architectures"][X]["images"]["gcp"].pop("release"), {("empty-images", f"{X} images gcp")}
    ),
    "a cloud's image of another release": (
        lambda t: t["architectures"][X]["images"]["gcp"].update(release=NEWER),
        {("mixed-releases", "architectures")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHIPPED)
def test_what_installers_have_shipped_is_noted_and_an_error_for_strict(name: str) -> None:
    edit, wanted = SHIPPED[name]
    stream = edited(edit)
    assert rules(stream) == set()
    found = rules(stream, level=Level.NOTE)
    assert wanted <= found
    assert {rule for rule, _ in found} == {rule for rule, _ in wanted}
    assert rules(stream, STRICT) == found
    assert rules(stream, STRICT, Level.NOTE) == set()


def test_the_old_layout_hides_no_other_build() -> None:
    def edit(tree: Tree) -> None:
        _old_layout(tree)
        moved(tree, f"/{streams.VERSION}/", f"/{NEWER}/")

    assert rules(edited(edit)) == {("url-shape", f"{X} artifacts qemu qcow2.gz disk")}


def test_the_name_decides_where_it_is_given() -> None:
    stream = edited(lambda t: t.update(stream="rhcos-4.21"))
    assert rules(stream, Against(name="rhcos-4.21")) == set()
    assert rules(stream, Against(name=streams.STREAM)) == {("stream-name", "stream")}


def test_urls_are_quoted_and_unquoted_once() -> None:
    version = "9.8+a^b~c@d:e"
    builds = [built(streams.meta(arch, version), arch) for arch in streams.IMAGES]
    stream = stream_of(builds, Published(streams.BASE, streams.STREAM), THEN)
    assert lint(stream, STRICT) == []
    bare = stream.encoded().replace(b"%2B", b"+")
    found = lint(parse_stream(bare, "bare"), Against())
    assert {(each.rule, each.level) for each in found} == {("url-quoting", Level.WARNING)}


INSTALLER = "BOOTIMG_TEST_INSTALLER"


def test_no_file_that_installers_shipped_has_an_error() -> None:
    """Every version of its stream metadata, where the variable names a checkout of openshift/installer."""
    if not (checkout := os.environ.get(INSTALLER)):
        pytest.skip(f"{INSTALLER} names no checkout of openshift/installer")
    paths = ("data/data/coreos", "data/data/rhcos-stream.json", "data/data/fcos-stream.json")
    found = [each for each in streams.every_version(checkout, *paths) if b'"architectures"' in each]
    assert found
    for data in found:
        stream = parse_stream(data, "shipped")
        assert (rules(stream), data[:200]) == (set(), data[:200])
        assert rules(stream, level=Level.NOTE) <= rules(stream, STRICT)


def _files(stream: Stream, arches: Sequence[str] = ()) -> list[object]:
    return [
        file
        for name, arch in stream.architectures.items()
        if name in (arches or [name])
        for platform in arch.artifacts.values()
        for form in platform.formats.values()
        for file in form.files().values()
    ]


def test_what_the_installers_readers_cut_is_in_the_mirrors_url() -> None:
    text = GOLDEN.read_text().replace("/art/storage/", "/storage/")
    assert ("url-base", "architectures") in rules(parse_stream(text.encode(), "moved"))
    text = GOLDEN.read_text().replace("https://rhcos.", "http://rhcos.")
    assert ("url-base", "architectures") in rules(parse_stream(text.encode(), "plain"))


def test_signatures_may_be_demanded_and_are_beside_their_files() -> None:
    assert rules(golden(), Against(signatures=True)) >= {
        ("signature-missing", f"{X} artifacts metal iso disk")
    }
    signed = stream_of(every(), Published(streams.BASE, streams.STREAM), THEN).encoded()
    other = signed.replace(b"qemu.x86_64.qcow2.gz.sig", b"qemu.x86_64.qcow2.sig")
    assert rules(parse_stream(other, "s")) == {("signature-url", f"{X} artifacts qemu qcow2.gz disk")}


def test_several_releases_are_found_unless_they_are_meant() -> None:
    mixed = bump(golden(), [one("s390x", NEWER)], PUBLISHED, THEN).stream
    assert rules(mixed, level=Level.NOTE) == {("mixed-releases", "architectures")}
    assert rules(mixed, STRICT) == {("mixed-releases", "architectures")}
    assert rules(mixed, Against(mixed=True, strict=True)) == set()
    other = edited(lambda t: t["architectures"][X]["artifacts"]["qemu"].update(release=NEWER))
    assert ("mixed-releases", "architectures") in rules(other)


def test_expected_platforms_are_missed_where_they_exist_only() -> None:
    expected = [platforms()[name] for name in ("aws", "metal4k", "vultr", "hyperv")]
    assert rules(golden(), Against(expected=expected)) == {
        ("missing-platform", f"{X} artifacts vultr raw"),
        ("missing-platform", f"{X} artifacts hyperv vhdx"),
        ("missing-platform", "aarch64 artifacts hyperv vhdx"),
    }


LOST: dict[str, tuple[Callable[[Tree], object], tuple[str, str]]] = {
    "region": (
        lambda t: t["architectures"][X]["images"]["aws"]["regions"].pop("us-gov-west-1"),
        ("lost-region", f"{X} images aws us-gov-west-1"),
    ),
    "cloud": (lambda t: t["architectures"][X]["images"].pop("aws"), ("lost-images", f"{X} images aws")),
    "platform": (
        lambda t: t["architectures"]["s390x"]["artifacts"].pop("qemu-secex"),
        ("lost-platform", "s390x artifacts qemu-secex"),
    ),
    "format": (
        lambda t: t["architectures"][X]["artifacts"]["metal"]["formats"].pop("iso"),
        ("lost-format", f"{X} artifacts metal iso disk"),
    ),
    "architecture": (lambda t: t["architectures"].pop("ppc64le"), ("lost-architecture", "ppc64le")),
    "extension": (
        lambda t: t["architectures"][X]["rhel-coreos-extensions"].pop("aws-winli"),
        ("lost-extension", f"{X} rhel-coreos-extensions aws-winli"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOST)
def test_what_the_previous_stream_had_is_missed_once(name: str) -> None:
    edit, wanted = LOST[name]
    assert rules(edited(edit), Against(previous=golden())) == {wanted}
    assert rules(golden(), Against(previous=edited(edit))) == set()


def test_digests_are_those_of_the_builds(tmp_path: Path) -> None:
    builds = streams.write_builds(tmp_path / streams.STREAM / "builds")
    assert rules(golden(), Against(builds=LocalBuilds(builds))) == set()
    place = f"{X} artifacts qemu qcow2.gz disk"
    for key in ("sha256", "uncompressed-sha256"):
        wrong = edited(lambda t, key=key: artifact(t).update({key: "ab" * 32}))  # type: ignore[misc]
        with streams.served(tmp_path) as url:
            for source in (LocalBuilds(builds), RemoteBuilds(url, streams.STREAM)):
                assert rules(wrong, Against(builds=source)) == {("digest-mismatch", place)}


CLOUD_IMAGES: dict[str, tuple[str, Callable[[Tree], object], str]] = {
    "aws": ("images", lambda t: t["aws"]["regions"]["us-east-1"].update(image="ami-0"), " us-east-1"),
    "gcp": ("images", lambda t: t["gcp"].update(name="other"), ""),
    "kubevirt": ("images", lambda t: t["kubevirt"].update({"digest-ref": "quay.io/x@sha256:0"}), ""),
    "aws-winli": (
        "rhel-coreos-extensions",
        lambda t: t["aws-winli"]["regions"]["eu-central-1"].update(image="ami-0"),
        " eu-central-1",
    ),
    "azure-disk": ("rhel-coreos-extensions", lambda t: t["azure-disk"].update(url="https://example.com"), ""),
}


@pytest.mark.parametrize("name", CLOUD_IMAGES)
def test_images_in_clouds_are_those_of_the_builds(name: str, tmp_path: Path) -> None:
    builds = LocalBuilds(streams.write_builds(tmp_path))
    section, edit, part = CLOUD_IMAGES[name]
    wrong = edited(lambda t: edit(t["architectures"][X][section]))
    assert rules(wrong, Against(builds=builds)) == {("image-mismatch", f"{X} {section} {name}{part}")}


def test_an_image_that_no_uploader_recorded_is_found(tmp_path: Path) -> None:
    builds = LocalBuilds(streams.write_builds(tmp_path, changes={"amis": []}))
    found = rules(golden(), Against(builds=builds))
    assert ("image-unknown", f"{X} images aws us-east-1") in found
    assert {rule for rule, _ in found} == {"image-unknown"}
    tags = {"kubevirt": {"image": "quay.io/x", "digest": "sha256:0", "tags": ["a", "b"]}}
    builds = LocalBuilds(streams.write_builds(tmp_path / "tags", changes=tags))
    assert ("build-missing", f"{X} {streams.VERSION}") in rules(golden(), Against(builds=builds))


def test_a_file_or_build_that_nobody_made_is_found(tmp_path: Path) -> None:
    builds = LocalBuilds(streams.write_builds(tmp_path))
    renamed = edited(lambda t: moved(t, "-qemu.", "-qemv."))
    assert ("file-unknown", f"{X} artifacts qemu qcow2.gz disk") in rules(renamed, Against(builds=builds))
    newer = bump(golden(), [one(version=NEWER)], PUBLISHED, THEN).stream
    assert ("build-missing", f"{X} {NEWER}") in rules(newer, Against(builds=builds, mixed=True))
    outside = edited(lambda t: t["architectures"][X]["artifacts"]["qemu"].update(release="../../x"))
    assert ("build-missing", f"{X} ../../x") in rules(outside, Against(builds=builds, mixed=True))


def test_every_file_is_downloaded_and_compared(tmp_path: Path) -> None:
    builds = streams.write_builds(tmp_path / streams.STREAM / "builds", files=True)
    told: list[str] = []
    with streams.served(tmp_path) as url:
        stream = stream_of(read_builds([], builds, None, None), Published(url, streams.STREAM), Metadata("t"))
        against = Against(builds=LocalBuilds(builds), base=url, download=True)
        assert lint(stream, against, told.append) == []
        assert len(told) == len(_files(stream))
        folder = builds / streams.VERSION / X
        name = f"rhcos-{streams.VERSION}"
        (folder / f"{name}-qemu.{X}.qcow2.gz").write_bytes(b"another")
        (folder / f"{name}-live-iso.{X}.iso").unlink()
        assert rules(stream, against) == {
            ("size-mismatch", f"{X} artifacts qemu qcow2.gz disk"),
            ("digest-mismatch", f"{X} artifacts qemu qcow2.gz disk"),
            ("download-failed", f"{X} artifacts metal iso disk"),
        }


def test_only_http_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    for url in (secret.as_uri(), "ftp://127.0.0.1/x", "https://", "x", "http://[::1", "http://a b/"):
        with pytest.raises(BootimgError) as error:
            download.digest(url)
        assert error.value.id == "stream-url-invalid"


def test_a_busy_or_silent_server_is_asked_again_and_then_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("bootimg.streams.metadata.download.time.sleep", pauses.append)
    with pytest.raises(BootimgError) as error:
        download.get("http://127.0.0.1:9/x", 10)
    assert error.value.id == "download-failed"
    assert len(pauses) == download.TRIES - 1


def test_a_server_that_trickles_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "small").write_bytes(b"1")
    monkeypatch.setattr("bootimg.streams.metadata.download._PATIENCE", -1.0)
    with streams.served(tmp_path) as url, pytest.raises(BootimgError) as error:
        download.get(f"{url}/small", 10)
    assert error.value.id == "download-failed"


@pytest.mark.parametrize(
    ("status", "nothing"), [(403, True), (404, True), (410, True), (401, False), (500, False)]
)
def test_a_file_that_need_not_be_there(
    status: int, nothing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 answers 403 where there is nothing, to whoever may not list the bucket."""
    monkeypatch.setattr("bootimg.streams.metadata.download.time.sleep", lambda _: None)
    (tmp_path / "there").write_bytes(b"1")
    with streams.served(tmp_path) as url:
        assert download.find(f"{url}/there", 10) == b"1"
        monkeypatch.setattr(
            "tests.support.builds.streams._Quiet.do_GET", lambda self: self.send_error(status)
        )
        if nothing:
            assert download.find(f"{url}/there", 10) is None
        for read in (download.get, *(() if nothing else (download.find,))):
            with pytest.raises(BootimgError) as error:
                read(f"{url}/there", 10)
            assert error.value.id == "download-failed"


def test_a_download_has_a_limit(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(100))
    with streams.served(tmp_path) as url:
        assert len(download.get(f"{url}/large", 100)) == 100
        with pytest.raises(BootimgError) as error:
            download.get(f"{url}/large", 99)
    assert "99 bytes" in error.value.message

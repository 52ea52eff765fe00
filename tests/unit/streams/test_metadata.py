"""Release and stream metadata: made of builds, bumped, merged, compared, in the forms that clusters want."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from bootimg.builds.record import NOTHING, Record, parse_record
from bootimg.errors import BootimgError
from bootimg.platform import Extension, platforms
from bootimg.streams.metadata.assisted import os_images
from bootimg.streams.metadata.buildchoice import published_base, read_builds, stream_name, wanted_builds
from bootimg.streams.metadata.buildmeta import Built, built
from bootimg.streams.metadata.bump import bump, merge, stream_of, with_marketplace
from bootimg.streams.metadata.codec import Reader
from bootimg.streams.metadata.configmap import config_map
from bootimg.streams.metadata.inventory import inventory
from bootimg.streams.metadata.release import stream_arch
from bootimg.streams.metadata.releases import Published, release_arch, release_of
from bootimg.streams.metadata.stream import Extensions, Marketplace, Metadata, Stream, parse_stream
from bootimg.streams.metadata.streamdiff import as_document, as_lines, difference
from tests.support.builds import streams

GOLDEN = Path(__file__).parents[1] / "golden" / "stream-rhel-9.8.json"
PUBLISHED = Published(streams.BASE, streams.STREAM, signatures=False)
THEN = Metadata("2026-04-28T22:40:00Z", "bootimg stream 0.1.0")
LATER = Metadata("2026-05-01T00:00:00Z", "bootimg stream 0.1.0")
NEWER = "9.8.20260501-0"


def one(
    arch: str = "x86_64",
    version: str = streams.VERSION,
    changes: Mapping[str, object] | None = None,
    record: Record = NOTHING,
) -> Built:
    return built(streams.meta(arch, version) | dict(changes or {}), f"{arch}/meta.json", record)


def every(version: str = streams.VERSION) -> list[Built]:
    return [one(arch, version) for arch in streams.IMAGES]


def sold() -> dict[str, Marketplace]:
    return {arch: Reader("m").read(Marketplace, each) for arch, each in streams.MARKETPLACE.items()}


def refused(error: pytest.ExceptionInfo[BootimgError], id: str, *words: str) -> None:
    assert error.value.id == id
    text = "\n".join([error.value.message, *error.value.context, error.value.hint or ""])
    assert all(word in text for word in words), text


def test_the_stream_of_all_architectures_is_this_file() -> None:
    """The file is one that the real stream-metadata-go writes back byte for byte (tests/integration)."""
    assert stream_of(every(), PUBLISHED, THEN).encoded() == GOLDEN.read_bytes()


def test_a_file_is_read_and_written_without_a_change_and_without_a_warning() -> None:
    warnings: list[str] = []
    found = parse_stream(GOLDEN.read_bytes(), "golden", warnings.append)
    assert (found.encoded(), warnings) == (GOLDEN.read_bytes(), [])


def test_every_platform_of_the_registry_gets_the_place_that_its_plugin_says() -> None:
    for platform in platforms().values():
        for arch in platform.arches:
            path = f"rhcos-1.0-{platform.name}.{arch}.{platform.suffix}"
            images = {platform.image_key: streams.image(path, compressed=False)}
            build = one(changes={"images": images, "coreos-assembler.basearch": str(arch)})
            key, form = platform.release_key
            assert release_arch(build, PUBLISHED).media[key].artifacts[form].disk is not None


def test_extensions_of_the_registry_are_those_of_the_stream() -> None:
    named = {each.extension for platform in platforms().values() for each in platform.uploads} - {None}
    assert named == set(Extension)
    assert {each.replace("-", "_") for each in Extension} < set(Extensions.__dataclass_fields__)


def test_an_image_that_no_plugin_makes_is_published_under_its_own_key() -> None:
    media = release_arch(one("s390x"), PUBLISHED).media
    assert "qemu-secex" not in platforms()
    assert media["qemu-secex"].artifacts["qcow2.gz"].disk is not None
    key = media["qemu-secex"].ignition_gpg_key
    assert key is not None
    assert key.location.endswith("-ignition-gpg-key.s390x.gpg.pub")


def test_live_media_are_metals() -> None:
    formats = release_arch(one(), PUBLISHED).media["metal"].artifacts
    assert set(formats) == {"raw.gz", "4k.raw.gz", "iso", "pxe"}
    assert set(formats["pxe"].files()) == {"kernel", "initramfs", "rootfs"}
    assert set(formats["iso"].files()) == {"disk"}


def test_the_release_makes_the_same_stream() -> None:
    release = release_of(every(), PUBLISHED)
    arches = {name: stream_arch(release.release, each) for name, each in release.architectures.items()}
    assert Stream(release.stream, THEN, arches).encoded() == GOLDEN.read_bytes()


def test_the_release_names_the_container_by_its_moving_tag_and_its_digest() -> None:
    pushed = {"image": "quay.io/a/b", "digest": "sha256:1", "tags": ["rhel-9.8", f"{streams.VERSION}-x"]}
    image = release_arch(one(changes={"base-oscontainer": pushed}), PUBLISHED).oci_image
    assert image is not None
    assert (image.image, image.digest_ref) == ("quay.io/a/b:rhel-9.8", "quay.io/a/b@sha256:1")


@pytest.mark.parametrize("tags", [[], ["a", "b"], [streams.VERSION]])
def test_without_one_moving_tag_there_is_no_telling_which(tags: list[str]) -> None:
    pushed = {"image": "quay.io/a/b", "digest": "sha256:1", "tags": tags}
    with pytest.raises(BootimgError) as error:
        release_arch(one(changes={"base-oscontainer": pushed}), PUBLISHED)
    refused(error, "stream-tag-ambiguous", "base-oscontainer", *tags)


@pytest.mark.parametrize(("imported", "commit"), [(True, None), (False, "ab" * 32)])
def test_only_a_composed_build_has_a_commit_to_pull(imported: bool, commit: str | None) -> None:
    build = one(changes={"coreos-assembler.oci-imported": imported})
    assert release_arch(build, PUBLISHED).commit == commit


def test_a_release_is_of_one_build() -> None:
    with pytest.raises(BootimgError) as error:
        release_of([one(), one("aarch64", NEWER)], PUBLISHED)
    refused(error, "stream-builds-mixed", NEWER, streams.VERSION)


@pytest.mark.parametrize(
    ("value", "told"), [("true", "no reason"), ('"OCP content in it"', "OCP content in it")]
)
def test_a_build_that_skips_disk_images_has_no_metadata(value: str, told: str) -> None:
    record = parse_record(f'{{"skip-disk-images": {value}}}'.encode(), "bootimg.json")
    with pytest.raises(BootimgError) as error:
        stream_of([one(record=record)], PUBLISHED, THEN)
    refused(error, "stream-disk-images-skipped", "skip_disk_images", told)


def test_a_build_without_metal_has_no_metal_and_nothing_empty() -> None:
    images = {"qemu": streams.image("rhcos-1.0-qemu.x86_64.qcow2", compressed=False)}
    stream = stream_of([one(changes={"images": images})], PUBLISHED, THEN)
    assert set(stream.architectures["x86_64"].artifacts) == {"qemu"}
    assert b"{}" not in stream.encoded().replace(b'"images": {}', b"")


def test_a_build_with_nothing_to_publish_is_refused() -> None:
    tree = streams.meta("x86_64")
    kept = {key: each for key, each in tree.items() if key not in streams.uploads("x86_64", "", "")}
    ostree = {"ostree": tree["images"]["ostree"]}
    with pytest.raises(BootimgError) as error:
        release_arch(built(kept | {"images": ostree}, "meta.json"), PUBLISHED)
    refused(error, "stream-nothing-published")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("images", {"qemu": {"path": "../../etc/passwd", "sha256": "ab" * 32}}),
        ("images", {"qemu": {"path": "a-qemu.x86_64.qcow2", "sha256": "short"}}),
        ("images", {"qemu": {"path": "no-marker.qcow2", "sha256": "ab" * 32}}),
        ("images", []),
        ("buildid", "../9.8"),
        ("buildid", None),
        ("amis", {"us-east-1": "ami-1"}),
        ("amis", [{"name": "us-east-1"}]),
        ("azure", {"image": "x"}),
        ("gcp", "rhcos"),
        ("powervs", [{"region": "us-east", "url": 7}]),
    ],
)
def test_a_meta_json_that_is_unfit_says_where(key: str, value: object) -> None:
    tree = streams.meta("x86_64") | {key: value}
    with pytest.raises(BootimgError) as error:
        release_arch(built(tree, "9.8/x86_64/meta.json"), PUBLISHED)
    refused(error, "stream-malformed", "9.8/x86_64/meta.json", key)


def test_bump_replaces_what_was_built_and_keeps_what_no_build_knows() -> None:
    old = with_marketplace(stream_of(every(), PUBLISHED, THEN), sold())
    old = replace(old, stream="rhcos-4.21")
    done = bump(old, [one("x86_64", NEWER)], PUBLISHED, LATER)
    new = done.stream
    assert (new.stream, new.metadata, done.notes) == (streams.STREAM, LATER, [])
    assert new.architectures["s390x"] == old.architectures["s390x"]
    arch = new.architectures["x86_64"]
    assert {each.release for each in arch.artifacts.values()} == {NEWER}
    assert arch.rhel_coreos_extensions is not None
    assert arch.rhel_coreos_extensions.marketplace == sold()["x86_64"]
    assert arch.rhel_coreos_extensions.azure_disk is not None
    assert arch.rhel_coreos_extensions.azure_disk.release == NEWER


def test_bump_keeps_images_for_windows_where_the_build_has_none_and_says_so() -> None:
    old = stream_of(every(), PUBLISHED, THEN)
    done = bump(old, [one("x86_64", NEWER, {"aws-winli": None})], PUBLISHED, LATER)
    extensions = done.stream.architectures["x86_64"].rhel_coreos_extensions
    before = old.architectures["x86_64"].rhel_coreos_extensions
    assert extensions and before
    assert extensions.aws_winli == before.aws_winli
    assert "aws-winli" in done.notes[0]


def test_a_second_bump_changes_nothing_not_even_the_time() -> None:
    first = bump(stream_of(every(), PUBLISHED, THEN), every(NEWER), PUBLISHED, LATER).stream
    assert bump(first, every(NEWER), PUBLISHED, Metadata("2027-01-01T00:00:00Z")).stream == first


def test_bump_adds_an_architecture() -> None:
    old = stream_of([one()], PUBLISHED, THEN)
    assert set(bump(old, [one("ppc64le")], PUBLISHED, LATER).stream.architectures) == {"x86_64", "ppc64le"}


def test_merging_the_architectures_one_by_one_is_making_them_at_once() -> None:
    parts = [stream_of([each], PUBLISHED, LATER) for each in every()]
    assert merge(parts, None, THEN).encoded() == GOLDEN.read_bytes()
    assert merge([*parts, parts[0]], None, THEN).encoded() == GOLDEN.read_bytes()


def test_merge_refuses_two_stories_of_one_architecture_and_two_names() -> None:
    first, other = stream_of([one()], PUBLISHED, THEN), stream_of([one(version=NEWER)], PUBLISHED, THEN)
    with pytest.raises(BootimgError) as error:
        merge([first, other], None, THEN)
    refused(error, "stream-conflict", "x86_64")
    named = replace(stream_of([one("s390x")], PUBLISHED, THEN), stream="c9s")
    with pytest.raises(BootimgError) as error:
        merge([first, named], None, THEN)
    refused(error, "stream-conflict", "c9s", streams.STREAM)
    assert merge([first, named], "both", THEN).stream == "both"


def test_marketplace_data_come_in_the_order_of_the_go_type_for_the_architectures_there_are() -> None:
    stream = with_marketplace(stream_of([one()], PUBLISHED, THEN), sold())
    assert set(stream.architectures) == {"x86_64"}
    plans = re.findall(r'"(no-purchase-plan|ocp|oke|ocp-emea)"', stream.encoded().decode())
    assert plans == ["no-purchase-plan", "ocp", "oke", "ocp-emea"]
    assert parse_stream(stream.encoded(), "sold") == stream


def test_difference_is_empty_only_between_equals() -> None:
    old = stream_of(every(), PUBLISHED, THEN)
    assert not difference(old, replace(old, metadata=LATER))
    assert list(as_lines(difference(old, old))) == ["no difference"]
    assert difference(old, replace(old, stream="other"))


def test_difference_is_told_by_region_and_format() -> None:
    old = stream_of(every(), PUBLISHED, THEN)
    amis = [each for each in streams.meta("x86_64", NEWER)["amis"] if each["name"] != "eu-central-1"]
    new = bump(old, [one("x86_64", NEWER, {"amis": amis})], PUBLISHED, LATER).stream
    found = difference(old, new)
    document = as_document(found)
    removed = [each for each in document["changes"] if each["change"] == "removed"]
    assert [(each["name"], each["part"], each["new"]) for each in removed] == [("aws", "eu-central-1", None)]
    assert all(each["arch"] == "x86_64" for each in document["changes"])
    lines = list(as_lines(found))
    assert f"x86_64     images aws: removed {streams.VERSION} (eu-central-1)" in lines
    changed = f"changed {streams.VERSION} -> {NEWER}"
    assert f"x86_64     images aws: {changed} (us-east-1, us-gov-west-1)" in lines
    assert json.loads(json.dumps(document)) == document


def test_inventory_has_every_leaf_of_the_file() -> None:
    """Whatever is in the file makes a difference."""
    stream = with_marketplace(stream_of(every(), PUBLISHED, THEN), sold())
    leaves = {text for _, text in strings(json.loads(stream.encoded())["architectures"])}
    told = {text for item in inventory(stream).values() for text in (*item.values.values(), item.release)}
    assert leaves == told - {None}


def strings(tree: object, path: str = "") -> list[tuple[str, str]]:
    if isinstance(tree, str):
        return [(path, tree)]
    assert isinstance(tree, dict)
    return [each for key, value in tree.items() for each in strings(value, f"{path}.{key}")]


def test_the_config_map_has_the_default_and_all_streams_as_text() -> None:
    nine = with_marketplace(stream_of(every(), PUBLISHED, THEN), sold())
    ten = replace(stream_of([one()], PUBLISHED, THEN), stream="rhel-10.2")
    text = config_map({"rhel-9": nine, "rhel-10": ten}, "rhel-9")
    document = yaml.safe_load(text)
    assert document["metadata"]["name"] == "coreos-bootimages"
    assert document["data"]["stream"].encode() + b"\n" == nine.encoded()
    every_stream = json.loads(document["data"]["streams"])
    assert list(every_stream) == ["rhel-10", "rhel-9"]
    assert every_stream["rhel-9"] == json.loads(nine.encoded())
    assert b"  stream: |-\n" in text


def test_os_images_are_the_live_isos_by_go_names_of_architectures() -> None:
    stream = stream_of(every(), PUBLISHED, THEN)
    records = os_images(stream, "4.22")
    assert [each["cpu_architecture"] for each in records] == ["x86_64", "arm64", "ppc64le", "s390x"]
    assert {each["version"] for each in records} == {streams.VERSION}
    assert records[1]["url"].endswith("/aarch64/rhcos-9.8.20260428-0-live-iso.aarch64.iso")
    (first, *_) = os_images(stream, "4.22.1")
    assert (first["openshift_version"], first["url"]) == (
        "4.22",
        "https://mirror.openshift.com/pub/openshift-v4/x86_64/dependencies/rhcos/4.22/4.22.1/"
        "rhcos-4.22.1-x86_64-live-iso.x86_64.iso",
    )


@pytest.mark.parametrize("version", ["4", "4.x", "4.19/../x", ""])
def test_os_images_are_of_a_version_of_openshift(version: str) -> None:
    with pytest.raises(BootimgError) as error:
        os_images(stream_of([one()], PUBLISHED, THEN), version)
    refused(error, "stream-argument-invalid")


def test_the_name_is_the_given_one_else_the_builds() -> None:
    assert stream_name("c9s", every()) == "c9s"
    assert stream_name(None, every()) == streams.STREAM
    other = one("s390x", changes={"coreos-assembler.oci-imported-labels": {"com.coreos.stream": "c9s"}})
    branch = {
        "coreos-assembler.oci-imported-labels": {},
        "coreos-assembler.container-config-git": {"branch": "b"},
    }
    assert stream_name(None, [one(changes=branch)]) == "b"
    for builds in ([one(), other], []):
        with pytest.raises(BootimgError) as error:
            stream_name(None, builds)
        refused(error, "stream-name-missing", "--name")
    with pytest.raises(BootimgError) as error:
        stream_name("../x", [])
    refused(error, "stream-argument-invalid")


@pytest.mark.parametrize("words", [["x86_64"], ["x86_64="], ["x86_64=../1"], ["x86_64=1", "amd64=2"]])
def test_builds_are_named_by_architecture_once(words: Sequence[str]) -> None:
    with pytest.raises(BootimgError) as error:
        wanted_builds(words)
    refused(error, "stream-argument-invalid")


def test_builds_are_read_from_the_tree_or_from_a_server_of_the_same_layout(tmp_path: Path) -> None:
    builds = streams.write_builds(tmp_path / streams.STREAM / "builds")
    whole = read_builds([], builds, None, None)
    assert [each.meta.basearch for each in whole] == ["x86_64", "aarch64", "ppc64le", "s390x"]
    assert [each.tree for each in read_builds([streams.VERSION], builds, None, None)] == [
        each.tree for each in whole
    ]
    words = [f"{arch}={streams.VERSION}" for arch in ("s390x", "x86_64")]
    assert [each.meta.basearch for each in read_builds(words, builds, None, None)] == ["s390x", "x86_64"]
    local = read_builds(words, builds, None, None)
    with streams.served(tmp_path) as url:
        remote = read_builds(words, builds, f"{url}/", streams.STREAM)
        assert [each.tree for each in remote] == [each.tree for each in local]
        with pytest.raises(BootimgError) as error:
            read_builds([f"x86_64={NEWER}"], builds, url, streams.STREAM)
        refused(error, "download-failed", "404", NEWER)
    with pytest.raises(BootimgError) as error:
        read_builds(["latest", "x86_64=" + streams.VERSION], builds, None, None)
    refused(error, "stream-argument-invalid", "x86_64")


def test_a_build_in_the_wrong_place_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / NEWER / "aarch64"
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps(streams.meta("x86_64")))
    with pytest.raises(BootimgError) as error:
        read_builds([f"aarch64={NEWER}"], tmp_path, None, None)
    refused(error, "stream-build-mismatch", NEWER, streams.VERSION)


def test_where_builds_are_published_follows_from_what_they_are() -> None:
    assert published_base(every()) == streams.BASE
    assert published_base([one(changes={"name": "fedora-coreos"})]).startswith(
        "https://builds.coreos.fedoraproject.org/"
    )

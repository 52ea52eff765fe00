"""JSON as Go writes it, and whatever anybody may give us to read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootimg.errors import BootimgError
from bootimg.streams.lint.check import lint
from bootimg.streams.lint.findings import Against
from bootimg.streams.metadata.buildmeta import built
from bootimg.streams.metadata.bump import bump, merge, stream_of
from bootimg.streams.metadata.cloudimages import CloudImage, RegionImage
from bootimg.streams.metadata.codec import Reader
from bootimg.streams.metadata.gojson import go_json, parse_tree
from bootimg.streams.metadata.release import Media, ReleaseArch, ReleaseImage, stream_arch
from bootimg.streams.metadata.releases import Published
from bootimg.streams.metadata.stream import (
    Extensions,
    ImageFormat,
    Marketplace,
    Metadata,
    PlatformArtifacts,
    Stream,
    StreamArch,
    StreamArtifact,
    parse_stream,
)
from bootimg.streams.metadata.streamdiff import as_document, as_lines, difference
from bootimg.untrusted.tree import LIMIT
from tests.support.builds import streams

texts = st.text(min_size=1, max_size=12)
characters = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)
META = streams.meta("x86_64")
STREAM = json.loads(stream_of([built(META, "m")], Published("https://a", "b"), Metadata("then")).encoded())


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a<b>&c", r"a\u003cb\u003e\u0026c"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ('"\\/', r"\"\\/"),
        ("\b\f\n\r\t\x00\x1f", r"\b\f\n\r\t\u0000\u001f"),
        ("\x7fé\U0001f600", "\x7fé\U0001f600"),
    ],
)
def test_texts_are_escaped_as_encoding_json_does(text: str, written: str) -> None:
    assert go_json({"k": text}) == f'{{\n  "k": "{written}"\n}}\n'.encode()


def test_nothing_is_on_one_line() -> None:
    assert go_json({"a": {}, "b": {"c": {}}}) == b'{\n  "a": {},\n  "b": {\n    "c": {}\n  }\n}\n'


@given(st.dictionaries(characters, characters))
def test_what_is_written_reads_back(tree: dict[str, str]) -> None:
    assert json.loads(go_json(tree)) == tree


artifacts = st.builds(
    StreamArtifact,
    location=characters,
    signature=st.none() | characters.filter(bool),
    sha256=characters,
    uncompressed_sha256=st.none() | characters.filter(bool),
)
formats = st.builds(ImageFormat, *([st.none() | artifacts] * 4))
regions = st.builds(RegionImage, release=characters, image=characters.filter(bool))
clouds = st.builds(CloudImage, regions=st.dictionaries(characters, regions, max_size=3))
arches = st.builds(
    StreamArch,
    st.dictionaries(
        characters,
        st.builds(PlatformArtifacts, characters, st.dictionaries(characters, formats, max_size=2)),
        max_size=3,
    ),
    st.dictionaries(characters, clouds, max_size=2),
)
# What Go has a type for; fields that its type has not are left out.
maybe = st.none() | characters
go_regions = st.dictionaries(
    characters, st.builds(RegionImage, release=characters, image=maybe, object=maybe, bucket=maybe, url=maybe)
)
go_images = st.builds(
    CloudImage, release=maybe, project=maybe, family=maybe, name=maybe, image=maybe, digest_ref=maybe,
    url=maybe, regions=go_regions,
)  # fmt: skip
GO_CLOUDS = ("aliyun", "aws", "gcp", "ibmcloud", "kubevirt", "powervs")
go_clouds = st.fixed_dictionaries({}, optional=dict.fromkeys(GO_CLOUDS, go_images))
go_extensions = st.builds(Extensions, st.none() | go_images, st.none() | go_images)
any_stream = st.builds(
    Stream, characters, st.builds(Metadata, characters), st.dictionaries(characters, arches, max_size=3)
)


@given(any_stream)
@settings(deadline=None)
def test_any_stream_is_read_as_it_was_written(stream: Stream) -> None:
    data = stream.encoded()
    assert parse_stream(data, "any") == stream
    assert parse_stream(data, "any").encoded() == data


@given(go_clouds, go_extensions)
@settings(deadline=None)
def test_clouds_are_read_as_they_were_written(images: Mapping[str, CloudImage], more: Extensions) -> None:
    stream = Stream("s", Metadata("t"), {"x": StreamArch({}, images, more)})
    told: list[str] = []
    assert parse_stream(stream.encoded(), "any", told.append) == stream
    assert told == []


NOTHING = {"stream": "", "metadata": {"last-modified": ""}}
GO_IMAGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "gcp": ({}, {"release": "", "project": "", "name": ""}),
    "kubevirt": ({"release": "1", "image": "a"}, {"release": "1", "image": "a", "digest-ref": ""}),
    "aws": (
        {"regions": {"r": {"release": "1"}}}, {"regions": {"r": {"release": "1", "image": ""}}}
    ),
    "powervs": (
        {"regions": {"r": {"object": "o"}}},
        {"regions": {"r": {"release": "", "object": "o", "bucket": "", "url": ""}}},
    ),
    "aliyun": ({"regions": {}}, {}),
    "other": ({"release": "", "family": "", "name": "n"}, {"release": "", "name": "n"}),
}  # fmt: skip


@pytest.mark.parametrize("cloud", GO_IMAGES)
def test_texts_without_omitempty_are_written_though_they_are_empty(cloud: str) -> None:
    found, wanted = GO_IMAGES[cloud]
    tree = {
        "stream": "",
        "metadata": {"last-modified": ""},
        "architectures": {"x": {"images": {cloud: found}}},
    }
    written = json.loads(parse_stream(json.dumps(tree).encode(), "f").encoded())
    assert written["architectures"]["x"]["images"] == {cloud: wanted}
    # encoding/json writes a map that nobody made as null, a struct never.
    assert written["architectures"]["x"]["artifacts"] is None


def test_what_a_release_does_not_say_is_written_empty() -> None:
    container = ReleaseArch({"kubevirt": Media({}, image=ReleaseImage(image="a:b"))})
    stream = Stream("s", Metadata("t"), {"x": stream_arch("1", container)})
    assert b'"image": "a:b",\n          "digest-ref": ""' in stream.encoded()


def test_what_go_has_no_place_for_in_a_cloud_is_told_and_not_kept() -> None:
    told: list[str] = []
    images = {"gcp": {"name": "n", "url": "u"}, "aws": {"regions": {"r": {"release": "1", "object": "o"}}}}
    extensions = {"azure-disk": {"release": "1", "name": "n"}}
    arch = {"artifacts": {}, "images": images, "rhel-coreos-extensions": extensions}
    tree = {**NOTHING, "architectures": {"x": arch}}
    data = parse_stream(json.dumps(tree).encode(), "f", told.append).encoded()
    assert [each.split()[1] for each in told] == [
        "architectures.x.images.gcp.url",
        "architectures.x.images.aws.regions.r.object",
        "architectures.x.rhel-coreos-extensions.azure-disk.name",
    ]
    assert b'"url"' not in data and b'"object"' not in data


@given(any_stream, any_stream)
@settings(deadline=None)
def test_a_difference_is_there_exactly_when_the_content_differs(one: Stream, other: Stream) -> None:
    assert not difference(one, one)
    forth, back = difference(one, other), difference(other, one)
    assert len(forth.changes) == len(back.changes)
    assert {each.kind for each in forth.changes} <= {"added", "removed", "changed"}
    assert json.dumps(as_document(forth)) and [*as_lines(forth)]


@given(st.lists(any_stream, min_size=1, max_size=3))
@settings(deadline=None)
def test_merging_loses_no_architecture_or_refuses(parts: list[Stream]) -> None:
    try:
        merged = merge(parts, "name", Metadata("now"))
    except BootimgError as error:
        assert error.id == "stream-conflict"
    else:
        for part in parts:
            assert part.architectures.items() <= merged.architectures.items()


@given(st.binary(max_size=60) | st.text().map(str.encode) | trees.map(lambda tree: json.dumps(tree).encode()))
def test_what_is_no_stream_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(BootimgError) as error:
        parse_stream(data, "file.json")
    assert error.value.id == "stream-malformed"
    assert "file.json" in error.value.message
    assert error.value.message.isprintable()


def places(tree: object) -> list[list[str]]:
    """The path of every value of the tree."""
    found: list[list[str]] = [[]]
    if isinstance(tree, dict):
        found += [[key, *rest] for key, each in tree.items() for rest in places(each)]
    return found


def changed(tree: object, path: list[str], value: object) -> object:
    if not path:
        return value
    assert isinstance(tree, dict)
    return {**tree, path[0]: changed(tree[path[0]], path[1:], value)}


@given(st.sampled_from(places(STREAM)), trees)
@settings(deadline=None)
def test_a_stream_with_anything_anywhere_is_refused_or_looked_at(path: list[str], value: object) -> None:
    data = json.dumps(changed(STREAM, path, value)).encode()
    try:
        found = parse_stream(data, "file.json")
    except BootimgError as error:
        assert error.id == "stream-malformed"
        return
    found.encoded()
    lint(found, Against(previous=parse_stream(json.dumps(STREAM).encode(), "old")))


@given(st.sampled_from([each for each in places(META) if each]), trees)
@settings(deadline=None)
def test_a_build_with_anything_anywhere_is_refused_or_published(path: list[str], value: object) -> None:
    tree = changed(META, path, value)
    assert isinstance(tree, dict)
    before = parse_stream(json.dumps(STREAM).encode(), "old")
    try:
        found = bump(before, [built(tree, "meta.json")], Published("https://a", "b"), Metadata("now")).stream
    except BootimgError as error:
        assert error.id.startswith("stream-") or error.id == "arch-unknown"
    else:
        assert parse_stream(found.encoded(), "again") == found


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5000, b'{"a": NaN', b"\xff\xfe{}"]
)
def test_what_brings_parsers_down_is_refused(data: bytes) -> None:
    with pytest.raises(BootimgError) as error:
        parse_tree(data, "file.json")
    assert error.value.id == "stream-malformed"


def test_more_than_any_stream_has_is_not_read() -> None:
    with pytest.raises(BootimgError) as error:
        parse_tree(b'{"a": "' + b"a" * LIMIT + b'"}', "file.json")
    assert str(LIMIT) in error.value.message


def test_null_is_as_good_as_nothing_and_what_is_no_character_is_replaced() -> None:
    entry = '{"location": "a\\ud800", "signature": null, "sha256": "s", "uncompressed-sha256": ""}'
    found = Reader("n").read(StreamArtifact, parse_tree(entry.encode(), "n"))
    assert (found.location, found.signature) == ("a\ufffd", None)
    assert b"uncompressed" not in Stream("", Metadata(""), {
        "x": StreamArch({"p": PlatformArtifacts("r", {"f": ImageFormat(found)})}, {})
    }).encoded()  # fmt: skip


def test_a_key_that_go_does_not_know_is_told() -> None:
    told: list[str] = []
    tree = changed(STREAM, ["metadata", "last-modified"], "x")
    assert isinstance(tree, dict)
    tree["architectures"]["x86_64"]["artifacts"]["qemu"]["new"] = 1
    parse_stream(json.dumps(tree).encode(), "f", told.append)
    assert told == [
        "f: architectures.x86_64.artifacts.qemu.new is not part of stream metadata and is dropped"
    ]


def test_words_of_a_file_cannot_command_a_terminal() -> None:
    with pytest.raises(BootimgError) as error:
        Reader("f").read(Marketplace, {"azure": {"ocp": {"hyperVGen1": "\x1b[2J"}}})
    assert "hyperVGen1 is not an object" in error.value.message
    tree = changed(STREAM, ["architectures", "x86_64", "artifacts", "qemu", "formats"], {"\x1b[2J": 1})
    with pytest.raises(BootimgError) as error:
        parse_stream(json.dumps(tree).encode(), "f")
    assert "\x1b" not in error.value.message


def test_the_golden_file_ends_as_go_ends_it() -> None:
    data = (Path(__file__).parents[1] / "golden" / "stream-rhel-9.8.json").read_bytes()
    assert data.endswith(b"}\n") and not data.endswith(b"\n\n")
    assert b"\\u0026b=\\u003c2\\u003e" in data

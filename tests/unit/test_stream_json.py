"""JSON as Go writes it, and whatever anybody may give us to read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootimg.errors import BootimgError
from bootimg.streams.buildmeta import built
from bootimg.streams.bump import bump, merge, stream_of
from bootimg.streams.codec import Reader
from bootimg.streams.diff import as_document, as_lines, difference
from bootimg.streams.findings import Against
from bootimg.streams.gojson import LIMIT, go_json, parse_object
from bootimg.streams.lint import lint
from bootimg.streams.media import Published
from bootimg.streams.release import parse_release
from bootimg.streams.stream import (
    Artifact,
    CloudImage,
    ImageFormat,
    Marketplace,
    Metadata,
    PlatformArtifacts,
    RegionImage,
    Stream,
    StreamArch,
    parse_stream,
)

from . import streams

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
    Artifact,
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
any_stream = st.builds(
    Stream, characters, st.builds(Metadata, characters), st.dictionaries(characters, arches, max_size=3)
)


@given(any_stream)
@settings(deadline=None)
def test_any_stream_is_read_as_it_was_written(stream: Stream) -> None:
    data = stream.encoded()
    assert parse_stream(data, "any") == stream
    assert parse_stream(data, "any").encoded() == data


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
    for parse in (parse_stream, parse_release):
        with pytest.raises(BootimgError) as error:
            parse(data, "file.json")
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
        parse_object(data, "file.json")
    assert error.value.id == "stream-malformed"


def test_more_than_any_stream_has_is_not_read() -> None:
    with pytest.raises(BootimgError) as error:
        parse_object(b'{"a": "' + b"a" * LIMIT + b'"}', "file.json")
    assert str(LIMIT) in error.value.message


def test_null_is_as_good_as_nothing_and_what_is_no_character_is_replaced() -> None:
    entry = '{"location": "a\\ud800", "signature": null, "sha256": "s", "uncompressed-sha256": ""}'
    found = Reader("n").read(Artifact, json.loads(entry))
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
        "f: architectures.x86_64.artifacts.qemu.new is no part of stream metadata, and is not kept"
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
    data = (Path(__file__).with_name("golden") / "stream-rhel-9.8.json").read_bytes()
    assert data.endswith(b"}\n") and not data.endswith(b"\n\n")
    assert b"\\u0026b=\\u003c2\\u003e" in data

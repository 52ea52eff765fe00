"""What installers, clusters and release.json say, and the meta.json that they are made of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import yaml

from bootimg.builds.record import parse_record
from bootimg.streams.lint.check import lint
from bootimg.streams.lint.findings import Against
from bootimg.streams.metadata.assisted import os_images
from bootimg.streams.metadata.buildmeta import built, refuse_skipped
from bootimg.streams.metadata.bump import bump, merge, stream_of
from bootimg.streams.metadata.configmap import config_map
from bootimg.streams.metadata.gojson import go_json, parse_tree
from bootimg.streams.metadata.releases import Published
from bootimg.streams.metadata.stream import Metadata, Stream, parse_stream
from bootimg.streams.metadata.streamdiff import as_document, as_lines, difference
from tests.fuzz.mutate import SEPARATOR, json_documents
from tests.fuzz.target import refusals, target
from tests.support.builds import streams

PUBLISHED, NOW = Published("https://example.com", "rhel-9.8"), Metadata("2026-04-28T10:00:00Z")
ARCHES = ("x86_64", "ppc64le", "s390x")
WORDS = ("architectures", "artifacts", "formats", "disk", "location", "sha256", "images", "regions",
         "release", "coreos-assembler.basearch", "amis", "kubevirt", "ppc64le", "live-iso",
         "rhel-coreos-extensions")  # fmt: skip
BUILDS = [built(streams.meta(arch), "meta.json") for arch in ARCHES]
BEFORE = stream_of(BUILDS, PUBLISHED, NOW)


def _metas() -> Iterator[bytes]:
    record = {"stream": "rhel-9.8", "expected": ["qemu"], "left-out": {"live": "not made"}}
    for arch in ARCHES:
        yield json.dumps(streams.meta(arch)).encode() + SEPARATOR + json.dumps(record).encode()


def _streams() -> Iterator[bytes]:
    for each in BUILDS:
        yield stream_of([each], PUBLISHED, NOW).encoded()


@target(_streams, words=WORDS, mutate=json_documents, longest=32768, runs=500)
def stream(data: bytes, folder: Path) -> None:
    """A stream: what is written reads back, in each of the forms."""
    with refusals():
        found = parse_stream(data, "stream.json")
        again = parse_stream(found.encoded(), "again")
        _same(found, again)
        assert parse_stream(again.encoded(), "again") == again
        lint(found, Against(previous=BEFORE, name="rhel-9.8", base="https://example.com", signatures=True))
        changes = difference(BEFORE, found)
        json.dumps(as_document(changes))
        list(as_lines(changes))
        _config_map(found)
        with refusals():
            json.dumps(os_images(found, "4.19"))
        with refusals():
            merge([BEFORE, found], None, NOW)


def _config_map(found: Stream) -> None:
    document = yaml.safe_load(config_map({found.stream: found}, found.stream))
    assert document["data"]["stream"] == found.encoded().decode().rstrip("\n")


def _same(found: Stream, again: Stream) -> None:
    """An empty text is not written where a field may be left out: only the bytes are the same."""
    assert again.encoded() == found.encoded()


@target(_metas, words=WORDS, mutate=json_documents, longest=32768, runs=500)
def published_meta(data: bytes, folder: Path) -> None:
    """A meta.json and a record, published."""
    document, _, record = data.partition(SEPARATOR)
    with refusals():
        build = built(
            parse_tree(document, "meta.json"), "meta.json", parse_record(record or b"{}", "bootimg.json")
        )
        refuse_skipped(build)
        found = bump(BEFORE, [build], PUBLISHED, NOW).stream
        _same(found, parse_stream(found.encoded(), "again"))


@target(lambda: [b'{"a": ["<", "\\u2028", 1e400, {"b": null}]}'], mutate=json_documents)
def go_encoder(data: bytes, folder: Path) -> None:
    """Any tree of texts, written as Go writes it."""
    with refusals():
        tree = parse_tree(data, "any.json")
        texts = json.loads(json.dumps(tree), parse_constant=str, parse_float=str)
        if _encodes(texts):
            written = go_json(texts)
            assert json.loads(written) == texts
            assert go_json(json.loads(written)) == written


def _encodes(tree: object) -> bool:
    """Whether all of it is characters; those that are none are replaced where a file is read."""
    try:
        json.dumps(tree, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True

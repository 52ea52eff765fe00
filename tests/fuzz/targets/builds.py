"""A tree of builds that somebody else made: builds.json, meta.json, bootimg.json, the journal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from bootimg.arch import Arch
from bootimg.builds.bucket.jsonstore import Stored, encode, parse
from bootimg.builds.bucket.push import chosen_images
from bootimg.builds.find import Build, find_build, find_builds
from bootimg.builds.index import change_index, insert_build, listed, newest_id, tags_of
from bootimg.builds.merge import merged, with_images
from bootimg.builds.meta import MetaFile
from bootimg.builds.names import known_arches, safe_images
from bootimg.builds.state import build_states
from bootimg.checks.builds.artifactrules import artifact_findings
from bootimg.checks.builds.metarules import meta_findings
from bootimg.events import Events
from bootimg.orchestrator.inspection import inspect_build
from tests.fuzz.mutate import SEPARATOR, json_documents
from tests.fuzz.target import refusals, target
from tests.support.builds import streams

ID = streams.VERSION
WORDS = ("buildid", "images", "path", "sha256", "size", "coreos-assembler.basearch", "builds", "latest",
         "coreos-assembler.meta-stamp", "schema-version", "arches", "tags", "target", "asked", "expected",
         "left-out")  # fmt: skip
INDEX = {"schema-version": "1.0.0", "timestamp": "2026-04-28T10:00:00Z",
         "builds": [{"id": ID, "arches": ["x86_64"]}, {"id": "9.6.20260101-0", "arches": ["s390x"]}],
         "tags": [{"name": "stable", "target": ID}]}  # fmt: skip


def _meta() -> dict[str, object]:
    found = streams.meta("x86_64")
    images = {key: found["images"][key] for key in ("ostree", "qemu", "metal")}
    return {**found, "images": images, "coreos-assembler.meta-stamp": 1_700_000_000_000_000_000}


def _tree(folder: Path, *, meta: bytes | None = None, index: bytes | None = None) -> Path:
    """A tree of one build, well-formed but for what is given."""
    builds = folder / "builds"
    shutil.rmtree(builds, ignore_errors=True)
    build = builds / ID / "x86_64"
    build.mkdir(parents=True)
    (build / "meta.json").write_bytes(json.dumps(_meta()).encode() if meta is None else meta)
    (builds / "builds.json").write_bytes(json.dumps(INDEX).encode() if index is None else index)
    return builds


@target(lambda: [json.dumps(_meta()).encode()], words=WORDS, mutate=json_documents, runs=400)
def meta_json(data: bytes, folder: Path) -> None:
    """A meta.json, by everything that reads it in its tree."""
    builds = _tree(folder, meta=data)
    with refusals():
        build_states(builds)
    for each in (_inspected, _artifact, _checked, _known, _changed):
        with refusals():
            each(find_build(builds, ID, Arch.X86_64))
    with refusals():
        find_builds(builds, ID)


def _inspected(build: Build) -> None:
    json.dumps(inspect_build(build))


def _artifact(build: Build) -> None:
    build.artifact("qemu")


def _checked(build: Build) -> None:
    list(meta_findings(build))
    artifact_findings(build, Events())


def _known(build: Build) -> None:
    safe_images(build.meta, "meta.json")
    chosen_images(dict(build.meta), ["qemu"], "meta.json")


def _changed(build: Build) -> None:
    path = build.path / "meta.json"
    MetaFile(path).merge({"images": {"aws": streams.image("x", compressed=False)}})
    MetaFile(path).read()


@target(
    lambda: [json.dumps(_meta()).encode() + SEPARATOR + json.dumps(streams.meta("x86_64")).encode()],
    words=WORDS,
    mutate=json_documents,
    longest=16384,
    runs=600,
)
def merged_metas(data: bytes, folder: Path) -> None:
    """Two states of a meta.json: whoever merges them gets the same."""
    one, _, other = data.partition(SEPARATOR)
    with refusals():
        ours, theirs = parse(Stored(one, ""), "meta.json"), parse(Stored(other, ""), "meta.json")
        safe_images(ours, "ours")
        safe_images(theirs, "theirs")
        both = with_images(merged(ours, theirs, "here"), safe_images(theirs, "theirs"))
        parse(Stored(encode(both), ""), "meta.json")


def _indexes() -> Iterator[bytes]:
    yield json.dumps(INDEX).encode()
    yield b'{"builds": ["30.1"], "schema-version": "0.0.1"}'


@target(_indexes, words=WORDS, mutate=json_documents, runs=600)
def builds_json(data: bytes, folder: Path) -> None:
    """A builds.json: read, and another build listed."""
    builds = _tree(folder, index=data)
    with refusals():
        newest_id(builds)
    with refusals():
        build_states(builds)
    with refusals():
        find_build(builds)
    with refusals():
        insert_build(builds, "9.6.20260201-0", Arch.X86_64)
        found = change_index(builds, lambda index: listed(index, "new", "x86_64", [ID]))
        tags_of(found)
        known_arches(found["builds"][0]["arches"])

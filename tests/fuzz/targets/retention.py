"""Retention policies, and the files that say which builds stay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from bootimg.orchestrator.retiring.policyfile import read_policy
from bootimg.orchestrator.retiring.streamnames import read_barriers
from bootimg.orchestrator.retiring.uploads import recorded_uploads, require_known
from tests.fuzz.mutate import json_documents
from tests.fuzz.target import refusals, target
from tests.support.builds.oldbuilds import old_meta

WORDS = (
    "cloud-uploads:",
    "keep-last: ",
    "barriers: [",
    "images-keep",
    "2y",
    "999999d",
    "&a",
    "*a",
    "<<: *a",
    "0x",
)
POLICY = {"s": {"cloud-uploads": "2y", "containers": "8w", "build": "62m", "keep-last": 3, "barriers": ["1"],
                "images": "1y", "images-keep": ["qemu"]}}  # fmt: skip
GRAPH = {
    "stream": "s",
    "releases": [{"version": "1", "metadata": {"barrier": {}}}, {"version": "2", "barrier": 1}],
}
META = old_meta("1", amis=[{"name": "r", "hvm": "a"}], gcp={"image": "i", "url": "u"}, other={"url": "u"})


def _policies() -> Iterator[bytes]:
    yield json.dumps(POLICY).encode()
    yield b"rawhide:\n    cloud-uploads: 1y\n    images: 58m\n    images-keep: [qemu, live-iso]\n"


@target(_policies, words=WORDS, mutate=json_documents, longest=8192, runs=400)
def retention_policy(data: bytes, folder: Path) -> None:
    """A policy file."""
    path = folder / "policy.yaml"
    path.write_bytes(data)
    with refusals():
        for each in read_policy(path).values():
            assert all(age >= 0 for age in each.ages.values())


@target(lambda: iter([json.dumps(GRAPH).encode()]), mutate=json_documents, longest=8192, runs=300)
def barriers(data: bytes, folder: Path) -> None:
    """An update graph."""
    path = folder / "graph.json"
    path.write_bytes(data)
    with refusals():
        assert all(isinstance(each, str) for each in read_barriers(path))


@target(lambda: iter([json.dumps(META).encode()]), mutate=json_documents, longest=8192, runs=300)
def recorded(data: bytes, folder: Path) -> None:
    """The uploads in a meta.json."""
    from bootimg.builds.malformed import parse_meta

    with refusals():
        meta = parse_meta(data, "meta.json")
        assert all(each.entries for each in recorded_uploads(meta, "meta.json"))
        require_known(meta, "meta.json")

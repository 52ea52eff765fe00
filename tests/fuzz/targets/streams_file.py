"""The pipeline's config.yaml, with the block `bootimg` in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from bootimg.streams.pipeline.config import read_stream_config, read_streams_file, stream_names
from tests.fuzz.mutate import json_documents
from tests.fuzz.target import ROOT, refusals, target

GOLDEN = ROOT / "tests" / "unit" / "golden" / "streams"
WORDS = ("streams:", "bootimg:", "layer", "purity", "skip_disk_images", "additional_arches", "artifacts",
         "&a", "*a", "<<: *a", "!!python/name", "!!binary", "? ", "- ", "| ", "%YAML 9.9", "---",
         "2026-99-99", "0x", "1:2")  # fmt: skip
CONFIG = {
    "streams": {"rhel-9.6": {"type": "production", "additional_arches": ["aarch64"], "skip_disk_images": True,
                             "artifacts": {"x86_64": ["metal"]}, "additional_artifacts": {"all": ["aws"]},
                             "additional_registry_repos": {"oscontainer": {"repo": "a/b", "tags": ["t"]}}}},
    "default_artifacts": {"all": ["qemu", "metal"]}, "hotfix": {"name": "fix"},
    "s3": {"bucket": "b", "builds_key": "${STREAM}"}, "clouds": {"aws": {"region": ["${STREAM}"]}},
    "registry_repos": {"extensions": [{"repo": "a/c", "tags": ["${VERSION}"], "v2s2": True}]},
    "bootimg": {"layer": "q/o:${STREAM}", "compressor": "gzip", "purity": "error",
                "streams": {"rhel-9.6": {"purity": {"level": "warn", "allow": ["x"]}, "extensions": "e"}}},
}  # fmt: skip


def _seeds() -> Iterator[bytes]:
    yield json.dumps(CONFIG).encode()
    yield b"a: &a {x: 1}\nstreams: {s: {<<: *a, type: production}}\nbootimg: {streams: {s: {layer: l}}}\n"
    for path in sorted(GOLDEN.glob("*.yaml")):
        yield path.read_bytes()


@target(_seeds, words=WORDS, mutate=json_documents, longest=16384, runs=400)
def streams_file(data: bytes, folder: Path) -> None:
    """Every stream of a streams file."""
    path = folder / "config.yaml"
    path.write_bytes(data)
    with refusals():
        config = read_streams_file(path)
        for name in stream_names(config)[:5]:
            with refusals():
                assert read_stream_config(config, name).uploads

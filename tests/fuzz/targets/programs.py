"""What other programs say: osbuild's monitor; and the configs that guests are started with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from bootimg.osbuild.monitor import read_records
from bootimg.vm.ignition import guest_config, read_config
from tests.fuzz.mutate import SEPARATOR, json_documents
from tests.fuzz.target import ROOT, refusals, target

SEQUENCES = ROOT / "tests" / "unit" / "osbuild"
RECORD = {
    "message": "m",
    "context": {"id": "1", "pipeline": {"name": "tree", "stage": {"name": "s"}}},
    "progress": {"progress": {"done": 1, "total": 2}},
    "result": {"name": "s", "success": True},
}


def _records() -> Iterator[bytes]:
    yield SEPARATOR.join((json.dumps(RECORD).encode(), b'{"context": {"id": "1"}}'))
    for path in sorted(SEQUENCES.glob("*.seq")):
        yield path.read_bytes()[:8000]


@target(
    _records,
    words=("\x1e", "context", "progress", "result", "results"),
    mutate=json_documents,
    runs=800,
)
def osbuild_monitor(data: bytes, folder: Path) -> None:
    """A monitor's records; a line that is none is passed over."""
    for each in read_records(data.replace(SEPARATOR, b"\n").splitlines()):
        assert isinstance(each.done, int) and isinstance(each.pipeline, str)


@target(
    lambda: [b'{"ignition": {"version": "3.4.0"}, "passwd": {"users": []}}'],
    words=("ignition", "version", "3."),
    mutate=json_documents,
    runs=1000,
)
def ignition_config(data: bytes, folder: Path) -> None:
    path = folder / "config.ign"
    path.write_bytes(data)
    with refusals():
        json.loads(guest_config(user=read_config(path)))

"""What bootimg notes of a build beside it: bootimg.json and the journal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from bootimg.builds.diskrecord import DISKS_KEY, joined_pushes, read_disk_pushes, record_disk_push
from bootimg.builds.expected import expected, join_record
from bootimg.builds.record import Record, change_record, read_record
from bootimg.orchestrator.journal import Journal
from tests.fuzz.mutate import SEPARATOR, json_documents
from tests.fuzz.target import refusals, target

WORDS = ("stream", "skip-disk-images", "expected", "left-out", "asked")
RECORD = {"stream": "s", "skip-disk-images": "y", "expected": ["qemu"], "left-out": {"a": "b"},
          "asked": ["x"]}  # fmt: skip


@target(
    lambda: [json.dumps(RECORD).encode()],
    words=WORDS,
    mutate=json_documents,
    runs=1000,
)
def record(data: bytes, folder: Path) -> None:
    """A bootimg.json: read and changed."""
    path = folder / "bootimg.json"
    path.write_bytes(data)
    with refusals():
        found = read_record(folder)
        change_record(folder, found)
        assert read_record(folder) == found
        change_record(folder, Record(stream="other"))
        expected(folder)
        join_record(folder, {"asked": ["aws"]})


PUSH = {"image": "quay.io/a/b", "digest": f"sha256:{'1' * 64}", "platform": "qemu", "tags": ["x"],
        "manifest-list-digest": f"sha256:{'2' * 64}"}  # fmt: skip


@target(
    lambda: [json.dumps({**RECORD, DISKS_KEY: [PUSH, {**PUSH, "tags": ["y"]}]}).encode()],
    words=(DISKS_KEY, *PUSH),
    mutate=json_documents,
    runs=600,
)
def disk_pushes(data: bytes, folder: Path) -> None:
    """The pushes in a bootimg.json: read, and one recorded."""
    (folder / "bootimg.json").write_bytes(data)
    with refusals():
        found = read_disk_pushes(folder)
        again = joined_pushes(found, found)
        assert joined_pushes(again, found) == again
        record_disk_push(folder, PUSH)
        assert read_disk_pushes(folder) == joined_pushes(found, [PUSH])


def _journal() -> Iterator[bytes]:
    begun = {"time": "2026-04-28T10:00:00+00:00", "step": "build", "state": "begun", "reference": "x"}
    lines = [begun, {**begun, "step": "qemu"}, {**begun, "step": "qemu", "state": "failed", "error": "a-b"}]
    yield "\n".join(map(json.dumps, lines)).encode()
    yield SEPARATOR.join(json.dumps(line).encode() for line in lines)


@target(_journal, words=("step", "state", "begun", "done", "failed", "build"), mutate=json_documents)
def journal(data: bytes, folder: Path) -> None:
    """A journal, lines that a crash cut short included."""
    path = folder / "journal"
    path.write_bytes(data.replace(SEPARATOR, b"\n"))
    found = Journal(path)
    with refusals():
        found.interrupted()
        found.failed()
        found.last("build", "begun")
        found.record("qemu", "begun")
        assert found.interrupted() == "qemu"

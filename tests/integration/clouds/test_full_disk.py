"""Uploads of a build on a full file system: a clear error, nothing half-written, and they continue."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootimg.cloud.journal import journal_path
from bootimg.errors import BootimgError
from tests.integration.clouds.commands import HOME, failure, meta, upload
from tests.support.clouds.cloudbuilds import make_aws_build
from tests.support.clouds.faultproxy import Proxy
from tests.support.clouds.strictaws import StrictAws

BLOCKS, WORKERS = 14, 3
PAGE = 4096
OWN = {".bootimg-upload-aws.lock", ".bootimg-upload-aws.ndjson"}
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small tmpfs")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB."""
    point = tmp_path / "small"
    point.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", point], capture_output=True)
    if done.returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)


def fill(folder: Path, left: int) -> Path:
    """A file that leaves so many bytes, whole pages, of the file system."""
    found, filler = os.statvfs(folder), folder / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_frsize - left)
    return filler


def pad(journal: Path, left: int) -> None:
    """Fill the first page of a journal with a record of something else, except for so many bytes."""
    record = {"step": "other", "state": "done", "subject": ""}
    size = PAGE - left - len(json.dumps(record)) - 1
    journal.write_text(json.dumps({**record, "subject": "x" * size}) + "\n")


def others(folder: Path) -> dict[str, bytes]:
    """The files of a build that are not of its journal."""
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.name not in OWN}


def error_of(builds: Path, *words: object) -> str:
    """The id of the error with which an upload ends, of the whole or of its one place."""
    try:
        return str(failure(builds, *words)["id"])
    except BootimgError as error:
        return error.id


@pytest.mark.parametrize(
    ("pages", "left", "sent"),
    [
        pytest.param(0, 1000, {0}, id="lock"),
        pytest.param(1, 1000, set(range(1, BLOCKS)), id="part"),
        pytest.param(1, 3900, {BLOCKS}, id="result"),
    ],
)
def test_a_full_disk_ends_an_upload_which_continues_later(
    pages: int, left: int, sent: set[int], small: Path, aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    """The lock needs a page; the journal has room for some parts, or for all but not for the result."""
    path, raw = make_aws_build(small / "builds")
    journal, words = journal_path(path, "aws", None), ("--cache", tmp_path / "cache", "-j", WORKERS)
    pad(journal, left)
    before, filler = others(path), fill(small, pages * PAGE)
    assert error_of(small / "builds", *words) == "no-space-left"
    assert others(path) == before
    assert all(json.loads(line)["step"] for line in journal.read_text().splitlines())
    assert proxy.count("PutSnapshotBlock") in sent
    filler.unlink()
    entry = upload(small / "builds", *words)["places"][0]["entry"]
    assert meta(path)["amis"] == [entry]
    assert [each.id for each in aws.snapshots(HOME)] == [entry["snapshot"]]
    assert aws.disk(HOME, entry["snapshot"], raw.stat().st_size) == raw.read_bytes()
    assert proxy.count("PutSnapshotBlock") <= BLOCKS + WORKERS

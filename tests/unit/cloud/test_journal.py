"""The journal of uploads: what it keeps over a kill, its lock, a full disk."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bootimg.builds import prune as pruning
from bootimg.cloud.content import Part, even_parts
from bootimg.cloud.journal import Journal, journal_path, open_journal
from bootimg.cloud.parts import send_parts, unsent
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.jobs import Stop
from tests.unit.builds.test_tree import tree


def parts_of(folder: Path) -> dict[int, str]:
    with open_journal(folder, "aws", None, dry_run=True) as journal:
        return journal.parts("snap")


def test_a_token_is_the_same_until_its_step_is_done(tmp_path: Path) -> None:
    with open_journal(tmp_path, "aws", None, dry_run=False) as journal:
        token = journal.token("copy", "eu-west-1")
        assert journal.token("copy", "eu-west-1") == token
        assert journal.token("copy", "eu-west-2") != token
    with open_journal(tmp_path, "aws", None, dry_run=False) as journal:
        assert journal.token("copy", "eu-west-1") == token
        journal.note("copy", "done", "eu-west-1", image="ami-1")
        assert journal.last("copy", "eu-west-1")["image"] == "ami-1"
        assert journal.token("copy", "eu-west-1") != token


def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path: Path) -> None:
    with open_journal(tmp_path, "aws", None, dry_run=False) as journal:
        journal.part("snap", 1, "one")
    path = journal_path(tmp_path, "aws", None)
    foreign = b'{"step": "part", "state": "sent", "subject": "snap", "number": "x", "receipt": 1}\n'
    path.write_bytes(path.read_bytes() + foreign + b'{"step": "part", "state": "sent", "subj')
    assert parts_of(tmp_path) == {1: "one"}
    with open_journal(tmp_path, "aws", None, dry_run=False) as journal:
        journal.part("snap", 2, "two")
    assert parts_of(tmp_path) == {1: "one", 2: "two"}


def test_accounts_have_journals_and_locks_of_their_own(tmp_path: Path) -> None:
    with (
        open_journal(tmp_path, "aws", None, dry_run=False),
        open_journal(tmp_path, "aws", "gov", dry_run=False),
    ):
        for account in (None, "gov"):
            with (
                pytest.raises(BootimgError) as error,
                open_journal(tmp_path, "aws", account, dry_run=False),
            ):
                pass
            assert error.value.id == "upload-running"
        with open_journal(tmp_path, "aws", None, dry_run=True):
            pass
    with open_journal(tmp_path, "aws", None, dry_run=False):
        pass


def test_a_build_that_is_being_uploaded_is_not_removed(tmp_path: Path) -> None:
    tree(tmp_path, 3)
    folder = tmp_path / "2" / "x86_64"
    with open_journal(folder, "aws", "gov", dry_run=False):
        (verdict,) = pruning.prune(tmp_path, [pruning.Verdict("2", True)])
    assert (verdict.removed, verdict.reason) == (False, "another process is uploading it")
    assert (folder / "meta.json").exists()
    (verdict,) = pruning.prune(tmp_path, [pruning.Verdict("2", True)])
    assert verdict.removed
    assert not folder.exists()


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    with open_journal(tmp_path, "aws", None, dry_run=True) as journal:
        journal.note("copy", "done", "x")
        journal.part("snap", 1, "one")
    assert list(tmp_path.iterdir()) == []


def send(journal: Journal, work: Callable[[Part], str], workers: int = 4) -> dict[int, str]:
    parts = list(even_parts(1000, 10))
    with Events().step("x", "x") as step:
        return send_parts(parts, work, of="snap", journal=journal, workers=workers, step=step, stop=Stop())


def test_parts_are_recorded_by_many_workers_and_not_sent_again(tmp_path: Path) -> None:
    sent: list[int] = []
    lock = threading.Lock()

    def put(part: Part) -> str:
        with lock:
            if len(sent) == 40:
                raise ValueError("enough")
            sent.append(part.number)
        return f"receipt {part.number}"

    opened = open_journal(tmp_path, "aws", None, dry_run=False)
    with opened as journal, pytest.raises(ValueError, match="enough"):
        send(journal, put)
    assert set(parts_of(tmp_path)) == set(sent)
    before, sent[:] = set(sent), []
    with open_journal(tmp_path, "aws", None, dry_run=False) as journal:
        parts = list(even_parts(1000, 10))
        assert unsent(parts, "snap", journal) == 600
        sent.extend([0] * 41)
        receipts = send(journal, put)
    assert receipts == {number: f"receipt {number}" for number in range(1, 101)}
    assert set(sent) - {0} == set(range(1, 101)) - before


def test_a_full_disk_is_a_clear_error() -> None:
    """/dev/full takes no byte; a journal in its place is what a full file system is."""
    from bootimg.recordlog import Appender

    with Path("/dev/full").open("r+b", buffering=0) as full:
        journal = Journal(Appender(full, Path("/tmp")))
        with pytest.raises(BootimgError) as error:
            journal.note("copy", "begun", "x")
    assert error.value.id == "no-space-left"


def test_a_record_for_which_there_is_no_room_leaves_nothing_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full file system takes the beginning of a write; the next record must not follow on it."""
    rest: list[int] = []

    def write(file: int, data: bytes) -> int:
        if rest:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rest.append(len(data))
        return written(file, data[: len(data) // 2])

    written = os.write
    with open_journal(tmp_path, "aws", None, dry_run=False) as journal:
        journal.part("snap", 1, "one")
        with monkeypatch.context() as patch, pytest.raises(BootimgError) as error:
            patch.setattr(os, "write", write)
            journal.part("snap", 2, "two")
        journal.part("snap", 3, "three")
    assert error.value.id == "no-space-left"
    assert parts_of(tmp_path) == {1: "one", 3: "three"}
    assert journal_path(tmp_path, "aws", None).read_bytes().count(b"\n") == 2


def test_a_lock_for_which_there_is_no_room_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, data: bytes, at: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, pytest.raises(BootimgError) as error:
        patch.setattr(os, "pwrite", full)
        with open_journal(tmp_path, "aws", None, dry_run=False):
            pass
    assert error.value.id == "no-space-left"
    with open_journal(tmp_path, "aws", None, dry_run=False):
        pass

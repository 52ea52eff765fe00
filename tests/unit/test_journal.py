"""The journal of a build: what is in it after an end, good or bad."""

import json
from pathlib import Path

import pytest

from bootimg.build.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.ndjson")


def test_a_new_build_has_no_records_and_was_not_interrupted(journal: Journal) -> None:
    assert journal.records() == []
    assert journal.interrupted() is None
    assert not journal.path.exists()


def test_a_step_is_begun_then_done(journal: Journal) -> None:
    with journal.step("import", objects=3):
        assert journal.interrupted() == "import"
    assert [(each["step"], each["state"]) for each in journal.records()] == [
        ("import", "begun"),
        ("import", "done"),
    ]
    assert journal.records()[0]["objects"] == 3
    assert journal.interrupted() is None


def test_a_step_that_an_error_leaves_is_not_done(journal: Journal) -> None:
    with pytest.raises(KeyboardInterrupt), journal.step("base"):
        raise KeyboardInterrupt
    assert Journal(journal.path).interrupted() == "base"


def test_the_next_run_appends(journal: Journal) -> None:
    journal.record("build", "done")
    with Journal(journal.path).step("qemu"):
        pass
    assert [each["state"] for each in journal.records()] == ["done", "begun", "done"]


def test_every_record_is_a_line_with_its_time(journal: Journal) -> None:
    journal.record("qemu", "begun", note="two\nlines")
    (line,) = journal.path.read_bytes().splitlines()
    assert json.loads(line)["note"] == "two\nlines"
    assert json.loads(line)["time"].endswith("+00:00")


def test_a_line_that_a_crash_cut_short_is_left_out(journal: Journal) -> None:
    journal.record("base", "begun")
    with journal.path.open("ab") as handle:
        handle.write(b'{"step": "ba')
    assert journal.interrupted() == "base"


def test_what_is_written_after_a_cut_line_counts(journal: Journal) -> None:
    journal.record("base", "begun")
    with journal.path.open("ab") as handle:
        handle.write(b'{"step": "ba')
    with journal.step("qemu"):
        assert journal.interrupted() == "qemu"
    assert [(each["step"], each["state"]) for each in journal.records()][-1] == ("qemu", "done")

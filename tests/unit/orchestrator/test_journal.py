"""The journal of a build: what is in it after an end, good or bad."""

import json
import threading
from pathlib import Path

import pytest

from bootimg.errors import BootimgError
from bootimg.orchestrator.journal import Journal


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


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"1",
        b"{}",
        b'{"step": "qemu"}',
        b'{"step": ["qemu"], "state": "begun"}',
        b"[" * 100_000,
        b"\xff",
    ],
    ids=range(7),
)
def test_a_line_that_is_no_record_is_left_out(line: bytes, journal: Journal) -> None:
    journal.record("base", "begun")
    with journal.path.open("ab") as handle:
        handle.write(line + b"\n")
    assert (journal.interrupted(), journal.failed()) == ("base", ())
    assert journal.last("qemu", "begun") == {}


def test_a_step_begun_once_more_is_the_newest(journal: Journal) -> None:
    for step in ("qemu", "aws", "qemu"):
        journal.record(step, "begun")
    assert journal.interrupted() == "qemu"


def test_what_is_written_after_a_cut_line_counts(journal: Journal) -> None:
    journal.record("base", "begun")
    with journal.path.open("ab") as handle:
        handle.write(b'{"step": "ba')
    with journal.step("qemu"):
        assert journal.interrupted() == "qemu"
    assert [(each["step"], each["state"]) for each in journal.records()][-1] == ("qemu", "done")


def test_a_failure_is_remembered_until_the_step_is_done(journal: Journal) -> None:
    for name in ("aws", "gcp"):
        with pytest.raises(BootimgError), journal.step(name):
            raise BootimgError("program-failed", "it did not work")
    assert journal.interrupted() is None
    assert journal.failed() == ("aws", "gcp")
    with journal.step("aws"):
        pass
    assert journal.failed() == ("gcp",)
    assert journal.last("gcp", "failed")["error"] == "program-failed"
    assert journal.last("gcp", "done") == {}


def test_a_new_run_forgets_what_the_one_before_it_left_open(journal: Journal) -> None:
    journal.record("aws", "begun")
    journal.record("build", "begun", reference="layer.ociarchive")
    assert journal.interrupted() is None
    assert journal.last("build", "begun")["reference"] == "layer.ociarchive"


def test_steps_side_by_side_are_whole_lines(journal: Journal) -> None:
    def run(number: int) -> None:
        for _ in range(20):
            with Journal(journal.path).step(f"job-{number}"):
                pass

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(journal.records()) == 4 * 20 * 2

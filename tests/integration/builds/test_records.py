"""kill -9 after every record of the journal: the same command goes on, to the same build.

The kill is exact: the program is run with a journal that, once a record is durable, sends SIGKILL to
its own process.  The base disk is kept but where its making is what is cut off (test_resume).
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from bootimg.orchestrator.journal import NAME, Journal
from tests.integration.builds.test_resume import (
    Record,
    again,
    assert_clean,
    assert_same,
    copy,
    forget,
    killed_after,
    left_running,
    running,
    wait_for,
)
from tests.integration.conftest import Built, Workspace

pytestmark = [pytest.mark.real, pytest.mark.matrix]
__all__ = ["copy"]

RECORDS: list[Record] = [
    ("build", "begun"),
    ("import", "begun"),
    ("import", "done"),
    ("archive", "begun"),
    ("archive", "done"),
    ("sbom", "begun"),
    ("sbom", "done"),
    ("base", "begun"),
    ("base", "done"),
    ("qemu", "begun"),
    ("qemu", "done"),
    ("build", "done"),
]
IMPORTED = ("repo", "imports", "checksums", "labels")


def journal(workspace: Workspace, built: Built) -> list[Record]:
    path = workspace.builds / built.document["build"] / built.document["arch"] / NAME
    return [(record["step"], record["state"]) for record in Journal(path).records()]


def test_these_are_all_records_that_a_build_writes(copy: Workspace, layer: Path, built: Built) -> None:
    assert_same(again(copy, layer, interrupted=False), built)
    assert journal(copy, built) == RECORDS


@pytest.mark.parametrize("record", RECORDS, ids="-".join)
def test_killed_after_a_record(copy: Workspace, layer: Path, built: Built, record: Record) -> None:
    step, state = record
    if step == "import":
        forget(copy, *IMPORTED)
    killed_after(copy, layer, record)
    assert journal(copy, built)[-1] == record
    wait_for(left_running(copy), 20)
    # A run that had not begun any step yet was not cut off in one.
    found = again(copy, layer, interrupted=state == "begun" and step != "build")
    assert_same(found, built)
    assert_clean(copy)
    done = {name for name, how in RECORDS[: RECORDS.index(record) + 1] if how == "done"}
    for artifact, name in ((each, {"ostree": "archive"}.get(each["key"], each["key"])) for each in
                           found.document["artifacts"]):  # fmt: skip
        assert artifact["cached"] == (name in done), name
    assert found.document["sbom"]["cached"] == ("sbom" in done)
    assert (found.document["statistics"]["new-objects"] > 0) == (record == ("import", "begun"))
    assert journal(copy, built)[-1] == ("build", "done")
    assert (
        json.loads((copy.builds / "builds.json").read_bytes())["builds"][0]["id"] == found.document["build"]
    )


@pytest.mark.parametrize(("step", "lost"), [("fetch", ("blobs", "tars")), ("layers", ("tars", "index"))])
def test_killed_before_there_is_a_journal(
    copy: Workspace, layer: Path, built: Built, step: str, lost: tuple[str, ...]
) -> None:
    forget(copy, *lost)
    with running(copy, layer) as run:
        run.until("step-progress", step)
        run.stop(signal.SIGKILL)
    wait_for(left_running(copy), 20)
    assert_same(again(copy, layer, interrupted=False), built)
    assert_clean(copy)


def test_twice_in_a_row_and_the_lock_of_a_dead_process_is_free(
    copy: Workspace, layer: Path, built: Built
) -> None:
    for record in (("archive", "begun"), ("archive", "begun"), ("qemu", "begun")):
        killed_after(copy, layer, record)
    assert (copy.builds / built.document["build"] / built.document["arch"] / ".build.lock").exists()
    assert_same(again(copy, layer), built)
    assert_clean(copy)


def test_stopped_after_each_step_and_gone_on(copy: Workspace, layer: Path, built: Built) -> None:
    """`--until` each step in turn comes to the same build as one command."""
    forget(copy, "blobs", "tars", "index", *IMPORTED)
    shutil.rmtree(copy.builds, ignore_errors=True)
    seen: list[str] = []
    for step in ("fetch", "layers", "import", "archive", "sbom", "base", "qemu"):
        done = copy.bootimg(
            "build", layer, "-p", "qemu", "--accel", "tcg", "--json", "--until", step,
            TMPDIR=str(copy.temporary),
        )  # fmt: skip
        document = json.loads(done.stdout)
        seen.append(step)
        assert document["stopped-after"] == step
        assert list(document["kept"]) == seen
        assert all(Path(path).exists() for path in document["kept"].values())
        assert not (copy.builds / "builds.json").exists()
        assert_clean(copy)
    assert Path(document["kept"]["base"]).samefile(built.base)
    found = again(copy, layer, interrupted=False)
    assert {artifact["cached"] for artifact in found.document["artifacts"]} == {True}
    assert_same(found, built)
    assert (copy.builds / "builds.json").exists()
    subprocess.run(["qemu-img", "check", found.artifact("qemu")], check=True)

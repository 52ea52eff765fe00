"""Temporary files of living, failed and killed runs, and full file systems."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bootimg import atomic, partialfiles
from bootimg.atomic import (
    enough_space,
    require_space,
    scratch_folder,
    temporary_folder,
    whole_file,
    write_whole,
)
from bootimg.errors import BootimgError

KILLED = """
import os, signal, sys
from pathlib import Path
from bootimg.atomic import scratch_folder, whole_file
where = Path(sys.argv[1])
with scratch_folder(where, "work-") as folder, whole_file(where / "file") as output:
    (folder / "half").write_text("half")
    output.write(b"half")
    output.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"first", 0o600)
    with pytest.raises(ZeroDivisionError), whole_file(path) as output:
        output.write(b"second")
        raise ZeroDivisionError
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"first", 0o600)


def test_what_a_killed_run_left_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "YOUNG", 0.0)
    subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert [each.name[:5] for each in tmp_path.iterdir()] == ["work-"]
    (tmp_path / "other").mkdir()
    with scratch_folder(tmp_path, "work-") as folder:
        assert {each.name for each in tmp_path.iterdir()} == {folder.name, "other"}
    assert [each.name for each in tmp_path.iterdir()] == ["other"]


def test_what_a_living_run_has_is_let_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "YOUNG", 0.0)
    with scratch_folder(tmp_path, "work-") as one:
        with scratch_folder(tmp_path, "work-") as other:
            assert one.is_dir()
            assert one != other
        assert one.is_dir()


def test_a_folder_that_was_just_made_is_let_be(tmp_path: Path) -> None:
    (tmp_path / "work-new").mkdir()
    with scratch_folder(tmp_path, "work-"):
        assert (tmp_path / "work-new").is_dir()


BETWEEN = """
import os, signal, sys
from pathlib import Path
from bootimg import atomic
for name in ("replace", "rename"):
    setattr(Path, name, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
where = Path(sys.argv[1])
if len(sys.argv) > 2:
    atomic._open = lambda folder, named, mode: (os.open(named, os.O_RDWR | os.O_CREAT, mode), False)
atomic.write_whole(where / "file", b"new")
"""


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("words", [[], ["no O_TMPFILE"]])
def test_what_a_run_left_that_was_killed_before_it_replaced_a_file_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], old: bool
) -> None:
    path = tmp_path / "file"
    if old:
        path.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", BETWEEN, tmp_path, *words], check=False)
    if not old and not words:
        # A file that replaces no other has its own name at once.
        assert (done.returncode, path.read_bytes()) == (0, b"new")
        assert [each.name for each in tmp_path.iterdir()] == ["file"]
        return
    assert done.returncode == -signal.SIGKILL
    assert [each.name[:14] for each in tmp_path.iterdir() if each != path] == [".partial-file-"]
    assert path.read_bytes() == b"old" if old else not path.exists()
    monkeypatch.setattr(partialfiles, "YOUNG", 0.0)
    if words:
        monkeypatch.setattr(atomic, "_open", _with_name)
    write_whole(path, b"newer")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"newer"


def _with_name(folder: Path, named: Path, mode: int) -> tuple[int, bool]:
    return os.open(named, os.O_RDWR | os.O_CREAT, mode), False


def test_what_another_process_is_writing_is_let_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partialfiles, "YOUNG", 0.0)
    monkeypatch.setattr(atomic, "_open", _with_name)
    path = tmp_path / "file"
    with whole_file(path) as first:
        first.write(b"first")
        write_whole(path, b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"
    for name in (".partial-file-0123456789ab", ".partial-other-01234567", ".partial-file-0123456"):
        (tmp_path / name).touch()
    (tmp_path / ".partial-file-01234567").symlink_to(tmp_path / "file")
    write_whole(path, b"third")
    assert len([*tmp_path.iterdir()]) == 5


def test_a_full_file_system_is_named(tmp_path: Path) -> None:
    with pytest.raises(BootimgError, match="no space left") as caught, enough_space(tmp_path / "a/b"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.id == "no-space-left"
    assert str(tmp_path) in caught.value.message
    with pytest.raises(PermissionError), enough_space(tmp_path):
        raise PermissionError(errno.EACCES, "no")


def test_of_several_places_the_fullest_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, free in (("roomy", 9), ("full", 0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "free").write_text(str(free))
    monkeypatch.setattr(atomic, "free_space", lambda path: int((path / "free").read_text()))
    places = [tmp_path / "roomy", tmp_path / "full"]
    with pytest.raises(BootimgError) as caught, enough_space(places[0], others=places[1:]):
        raise OSError(errno.EDQUOT, "quota")
    assert str(places[1]) in caught.value.message


def test_space_is_required_in_advance(tmp_path: Path) -> None:
    require_space(tmp_path / "not/there/yet", 1)
    with pytest.raises(BootimgError, match="are needed"):
        require_space(tmp_path, 1 << 60)


def test_temporary_files_of_killed_runs_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "YOUNG", 0.0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "bootimg-x-left").mkdir()
    (tmp_path / "bootimg-x-link").symlink_to(tmp_path)
    (tmp_path / "bootimg-x-file").touch()
    with temporary_folder("bootimg-x-") as folder:
        assert folder.parent == tmp_path
        assert not (tmp_path / "bootimg-x-left").exists()
    assert {each.name for each in tmp_path.iterdir()} == {"bootimg-x-link", "bootimg-x-file"}


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to another user: needs root")
def test_what_belongs_to_another_user_is_let_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "YOUNG", 0.0)
    (tmp_path / "work-other").mkdir()
    os.chown(tmp_path / "work-other", 65533, 65533)
    with scratch_folder(tmp_path, "work-"):
        assert (tmp_path / "work-other").is_dir()

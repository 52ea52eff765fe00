"""Faults of storage become errors with an id, and bugs stay what they are."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import bootimg
from bootimg import atomic, filelock
from bootimg.atomic import enough_space, scratch_folder, sync, whole_file, write_whole
from bootimg.builds.locks import build_lock, file_lock
from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.housekeeping import in_use
from bootimg.storage import storage_errors
from bootimg.storagefaults import ANYWHERE, FULL, OF_A_PATH


def error(number: int, *path: str) -> OSError:
    return OSError(number, os.strerror(number), *path)


def raised(found: Exception) -> BaseException:
    """What comes out of `storage_errors` if this goes in."""
    try:
        with storage_errors():
            raise found
    except (BootimgError, OSError, ValueError) as caught:
        return caught


@pytest.mark.parametrize("number", [*ANYWHERE, *OF_A_PATH], ids=errno.errorcode.get)
def test_a_fault_of_a_file_names_the_file_the_fault_and_the_way_out(number: int) -> None:
    found = raised(error(number, "/builds/meta.json"))
    assert isinstance(found, BootimgError)
    assert found.id == "storage-failed"
    assert found.message.startswith("/builds/meta.json ")
    assert found.context[0].startswith(f"{errno.errorcode[number]}: ")
    assert found.hint


@pytest.mark.parametrize("number", FULL)
def test_a_full_file_system_keeps_its_id(number: int, tmp_path: Path) -> None:
    found = raised(error(number, str(tmp_path / "file")))
    assert isinstance(found, BootimgError)
    assert found.id == "no-space-left"
    assert str(tmp_path) in found.message
    assert getattr(raised(error(number)), "id", None) == "no-space-left"


@pytest.mark.parametrize(
    "bug",
    [
        error(errno.ENOENT, "/builds/meta.json"),
        error(errno.EEXIST, "/builds/meta.json"),
        error(errno.ENOTEMPTY, "/builds"),
        error(errno.EBADF),
        error(errno.EINVAL),
        error(errno.EPIPE),
        error(errno.ECONNRESET),
        # Without a path these are errors of sockets and processes.
        error(errno.EPERM),
        error(errno.EACCES),
        error(errno.ETIMEDOUT),
        error(errno.ENOTCONN),
        ssl.SSLError(5, "EIO's number"),
        socket.gaierror(5, "EIO's number"),
        OSError("no number"),
        ValueError("no OSError"),
    ],
    ids=repr,
)
def test_what_is_no_fault_of_storage_stays_a_traceback(bug: Exception) -> None:
    assert raised(bug) is bug


@pytest.mark.parametrize("verb", [["builds", "prune"], ["builds", "list"]])
@pytest.mark.parametrize("place", ["/proc", "/proc/self", "/proc/self/fd"])
def test_a_tree_in_a_file_system_of_the_kernel(verb: list[str], place: str) -> None:
    done = bootimg_said(*verb, "-o", place)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or "storage-failed" in done.stderr
    assert done.returncode or "prune" not in verb


def test_a_missing_file_is_a_fault_only_where_no_file_can_be() -> None:
    found = raised(error(errno.ENOENT, "/proc/self/.build.lock"))
    assert isinstance(found, BootimgError)
    assert found.message.startswith("/proc/self/.build.lock cannot be made")
    bug = error(errno.ENOENT, "/proc/self/nothing/x")
    assert raised(bug) is bug


def test_a_fault_that_names_no_file_gets_the_one_that_was_open(tmp_path: Path) -> None:
    def reads(path: Path) -> None:
        with path.open("rb") as handle:
            assert handle.name
            raise error(errno.EIO)

    (tmp_path / "file").touch()
    with pytest.raises(BootimgError) as caught, storage_errors():
        reads(tmp_path / "file")
    assert caught.value.message.startswith(f"{tmp_path / 'file'} cannot be read or written")
    with pytest.raises(BootimgError) as caught, storage_errors(), enough_space(tmp_path):
        raise error(errno.EIO)
    assert caught.value.message.startswith(f"{tmp_path} cannot be")
    with pytest.raises(BootimgError) as caught, storage_errors(), enough_space(tmp_path):
        reads(tmp_path / "file")
    assert str(tmp_path / "file") in caught.value.message
    # Which file could not be opened is unknown, and an open one is not it.
    with pytest.raises(BootimgError) as caught, storage_errors(), (tmp_path / "file").open():
        raise error(errno.EMFILE)
    assert caught.value.message.startswith("a file cannot be opened")


def test_a_file_that_is_being_written_is_named_and_goes(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="result") as caught, whole_file(tmp_path / "result"):
        raise error(errno.EIO)
    assert caught.value.filename == str(tmp_path / "result")
    assert not list(tmp_path.iterdir())


def test_it_comes_out_of_a_thread_too(tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as caught, storage_errors(), ThreadPoolExecutor(1) as threads:
        threads.submit(os.open, tmp_path / ("x" * 300), os.O_RDONLY).result()
    assert errno.errorcode[errno.ENAMETOOLONG] in caught.value.context[0]


def test_the_python_api_has_it_as_well(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BootimgError) as caught:
        bootimg.verify("x", builds=tmp_path, cache=tmp_path / ("c" * 300))
    assert caught.value.id in ("storage-failed", "folder-not-writable")


def bootimg_said(*words: object, **pipes: int) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "bootimg", *map(str, words)]
    return subprocess.run(argv, stderr=subprocess.PIPE, text=True, check=False, **pipes)  # type: ignore[call-overload, no-any-return]


def test_machines_get_it_as_an_event(tmp_path: Path) -> None:
    builds = tmp_path / "loop"
    builds.mkdir()
    (builds / "builds.json").symlink_to("builds.json")
    done = bootimg_said("builds", "list", "-o", builds, "--events", "ndjson")
    assert done.returncode == 1
    event = json.loads(done.stderr.splitlines()[-1])
    assert (event["event"], event["id"]) == ("error", "storage-failed")
    assert event["message"].startswith(str(builds / "builds.json"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this machine has no /dev/full")
def test_an_output_that_is_full_is_said_once() -> None:
    with Path("/dev/full").open("wb") as full:
        done = bootimg_said("platforms", stdout=full.fileno())
    assert done.returncode == 1
    assert done.stderr.startswith("error: no-space-left\n  no space left for the standard output\n")
    assert "Exception" not in done.stderr


def without_locks(number: int) -> Callable[..., None]:
    def flock(*words: object) -> None:
        raise error(number)

    return flock


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS], ids=errno.errorcode.get)
def test_a_file_system_without_locks_is_said_to_have_none(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", without_locks(number))
    for held in (
        build_lock(tmp_path),
        in_use(Cache(tmp_path / "cache")),
        Cache(tmp_path / "cache").locked("x"),
    ):
        with (
            pytest.raises(BootimgError, match="its file system has no locks") as caught,
            storage_errors(),
            held,
        ):
            pytest.fail("it works without a lock")
        assert caught.value.id == "storage-failed"
        assert caught.value.context == (f"ENOLCK: {os.strerror(errno.ENOLCK)}",)


def test_a_scratch_folder_works_without_locks_and_no_other_run_removes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "YOUNG", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", without_locks(errno.ENOLCK))
        scratch = scratch_folder(tmp_path, "work-")
        folder = scratch.__enter__()
    with scratch_folder(tmp_path, "work-"):
        assert folder.is_dir()
    scratch.__exit__(None, None, None)
    assert not list(tmp_path.iterdir())


def test_times_that_cannot_be_set_name_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """os.utime leaves the name out."""
    monkeypatch.setattr(os, "utime", without_locks(errno.EPERM))
    with pytest.raises(BootimgError) as caught, storage_errors(), file_lock(tmp_path / "meta.json"):
        pytest.fail("it has the lock")
    assert caught.value.id == "storage-failed"
    assert caught.value.message.startswith(f"{tmp_path}/.meta.json.lock|")
    assert [each.name for each in tmp_path.iterdir()] == [".meta.json.flock"]


def test_a_name_that_is_too_long_is_said_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as caught, storage_errors():
        write_whole(tmp_path / ("x" * 250), b"")
    assert caught.value.message.startswith(f"{tmp_path}/.partial-xxx")
    assert not list(tmp_path.iterdir())


def test_the_first_of_two_failed_closes_counts() -> None:
    """shutil.rmtree of Python 3.11 closes a folder again after a close that failed."""
    with pytest.raises(BootimgError) as caught, storage_errors():
        try:
            raise error(errno.EIO)
        finally:
            raise error(errno.EBADF)
    assert caught.value.context[0].startswith("EIO: ")


def test_a_lock_that_another_has_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("wb") as one, path.open("wb") as other:
        filelock.lock(one, path)
        with pytest.raises(BlockingIOError):
            filelock.lock(other, path, wait=False)


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOSYS], ids=errno.errorcode.get)
def test_a_file_is_whole_without_o_tmpfile_and_without_a_sync_of_folders(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, synced = os.open, os.fsync

    def open_(path: str, flags: int, *words: int, **options: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise error(number, path)
        return opened(path, flags, *words, **options)

    def fsync(fd: int) -> None:
        if Path(f"/proc/self/fd/{fd}").is_dir():
            raise error(errno.EINVAL)
        synced(fd)

    monkeypatch.setattr(os, "open", open_)
    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(tmp_path / "file", b"whole")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"whole"
    monkeypatch.setattr(os, "fsync", without_locks(errno.EINVAL))
    with pytest.raises(OSError, match="Invalid"):
        sync(tmp_path / "file")

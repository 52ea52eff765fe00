"""A program's failure on a full disk of this machine, and other failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootimg import process
from bootimg.disk.native.space import space_for_programs
from bootimg.errors import BootimgError


def failing(message: str, folder: Path) -> BootimgError:
    with pytest.raises(BootimgError) as caught, space_for_programs(folder):
        process.run(["sh", "-c", 'echo "$1" >&2; exit 3', "sh", message])
    return caught.value


def test_a_program_that_says_so_found_the_disk_full(tmp_path: Path) -> None:
    error = failing("plain_io: No space left on device", tmp_path)
    assert error.id == "no-space-left"
    assert str(tmp_path) in error.message
    assert "plain_io: No space left on device" in error.context


def test_other_failures_stay(tmp_path: Path) -> None:
    error = failing("Disk full", tmp_path)
    assert (error.id, error.message) == ("program-failed", "sh exited with 3")


def test_a_full_disk_is_seen_where_the_program_does_not_tell() -> None:
    # /proc is a file system that never has room.
    assert failing("failed whilst writing FAT", Path("/proc")).id == "no-space-left"

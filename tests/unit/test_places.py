"""Where bootimg writes: no home, no place for temporary files, folders that may not be written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bootimg import housekeeping
from bootimg.atomic import require_writable, temporary_root
from bootimg.cache import Cache, default_root
from bootimg.errors import BootimgError, ExitCode
from bootimg.housekeeping import in_use
from tests.support.layers import oci

ROOT = Path(__file__).parents[2]
NOBODY = 1000740000


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a pod's user: the environment says nothing of folders, and no passwd file knows the uid."""
    for name in ("HOME", "XDG_CACHE_HOME", "BOOTIMG_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: NOBODY)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_the_cache_must_be_named() -> None:
    with pytest.raises(BootimgError, match=str(NOBODY)) as caught:
        default_root()
    assert (caught.value.id, caught.value.exit_code) == ("cache-place-unknown", ExitCode.ENVIRONMENT)


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize(
    ("name", "value", "root"),
    [
        ("BOOTIMG_CACHE", "/cache/bootimg", "/cache/bootimg"),
        ("XDG_CACHE_HOME", "/cache", "/cache/bootimg"),
        ("HOME", "/home/me", "/home/me/.cache/bootimg"),
    ],
)
def test_each_of_these_names_it(name: str, value: str, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert default_root() == Path(root)


def test_no_place_for_temporary_files_is_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc"])
    with pytest.raises(BootimgError) as caught:
        temporary_root()
    assert caught.value.id == "folder-not-writable"
    assert "TMPDIR" in str(caught.value.hint)


def test_a_folder_that_is_not_there_yet_is_judged_by_the_one_above(tmp_path: Path) -> None:
    require_writable(tmp_path / "not/there", "elsewhere")
    assert not [*tmp_path.iterdir()]


def test_a_cache_on_a_read_only_file_system_is_let_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(cache: Cache) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), cache.root)

    monkeypatch.setattr(housekeeping, "_tag", refuse)
    with in_use(Cache(tmp_path)):
        assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts: needs root")
@pytest.mark.parametrize("closed", ["cache", "builds"])
def test_build_refuses_a_read_only_folder_before_it_starts(closed: str, tmp_path: Path) -> None:
    oci.Layout(tmp_path / "image").add([oci.bootable()])
    for name in ("cache", "builds"):
        (tmp_path / name).mkdir()
    words = ["build", "image", "-p", "qemu", "--cache", "cache/new", "-o", "builds/new"]
    done = with_read_only(tmp_path / closed, sys.executable, "-m", "bootimg", *words)
    assert done.returncode == ExitCode.ENVIRONMENT, done.stderr
    assert done.stderr.startswith("error: folder-not-writable\n")
    assert f"{closed}/new cannot be written" in done.stderr
    assert not (tmp_path / "builds/new").exists()
    assert not (tmp_path / "cache/new/blobs").exists()


def with_read_only(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a program beside a folder that is read-only for it, whoever it is run by."""
    script = 'mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"; exec "$@"'
    words = ["unshare", "--mount", "sh", "-ec", script, str(folder), *argv]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(words, cwd=folder.parent, env=env, capture_output=True, text=True, timeout=120)

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bootimg.__main__ import main
from bootimg.cache import Cache
from bootimg.cli.output.session import App
from bootimg.errors import BootimgError, ExitCode
from bootimg.housekeeping import TAG, in_use, kept, old, remove

DAY = 86400


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Two blobs, one of them old, and an ostree repo."""
    cache = Cache(tmp_path / "cache")
    with in_use(cache):
        for name, days in (("new", 1), ("old", 40)):
            blob = cache.folder("blobs") / name
            blob.write_bytes(b"x" * 50_000)
            backdate(blob, days)
        objects = cache.folder("repo") / "objects" / "ab"
        objects.mkdir(parents=True)
        (objects / "cd.file").write_bytes(b"y" * 10_000)
    return cache


def backdate(path: Path, days: float) -> None:
    os.utime(path, (time.time() - days * DAY,) * 2)


def test_lists_each_thing_once_with_size_and_age(cache: Cache) -> None:
    found = {(each.kind, each.path.name): each for each in kept(cache)}
    assert set(found) == {("blobs", "new"), ("blobs", "old"), ("repo", "repo")}
    assert 50_000 <= found["blobs", "old"].size < 70_000
    assert 39 * DAY < found["blobs", "old"].age() < 41 * DAY


def test_a_thing_that_was_read_lately_is_not_old(cache: Cache) -> None:
    blob = cache.root / "blobs" / "old"
    os.utime(blob, (time.time(), time.time() - 40 * DAY))
    assert old(cache, 30 * DAY) == []


def test_hard_links_count_once(cache: Cache) -> None:
    folder = cache.folder("tars") / "one"
    folder.mkdir()
    (folder / "a").write_bytes(b"z" * 100_000)
    (folder / "b").hardlink_to(folder / "a")
    (size,) = [each.size for each in kept(cache) if each.kind == "tars"]
    assert 100_000 <= size < 150_000


def test_removes_what_is_old_and_nothing_else(cache: Cache) -> None:
    remove(cache, old(cache, 30 * DAY))
    assert [(each.kind, each.path.name) for each in kept(cache)] == [("blobs", "new"), ("repo", "repo")]
    assert not (cache.root / "trash").exists()


def test_a_cache_in_use_is_not_cleaned(cache: Cache) -> None:
    with in_use(cache), pytest.raises(BootimgError) as caught:
        remove(cache, kept(cache))
    assert caught.value.id == "cache-in-use"
    assert len(kept(cache)) == 3


def test_two_runs_use_the_cache_at_once(cache: Cache) -> None:
    with in_use(cache), in_use(cache):
        assert kept(cache)


def test_the_app_holds_the_cache_from_its_first_use_to_the_end(cache: Cache) -> None:
    app = App(idle_cache=cache)
    with app.resources:
        remove(cache, [])
        assert app.cache is app.cache is cache
        with pytest.raises(BootimgError, match="cache-in-use"):
            remove(cache, [])
    remove(cache, [])


def test_a_folder_with_other_things_never_becomes_a_cache(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    home = Cache(tmp_path)
    with in_use(home):
        pass
    assert not (tmp_path / TAG).exists()
    with pytest.raises(BootimgError) as caught:
        remove(home, kept(home))
    assert (caught.value.id, caught.value.exit_code) == ("cache-foreign", ExitCode.USAGE)
    assert (tmp_path / "letters").is_dir()


def test_no_cache_is_an_empty_one(tmp_path: Path) -> None:
    nothing = Cache(tmp_path / "none")
    assert kept(nothing) == []
    remove(nothing, [])
    assert not nothing.root.exists()


def test_gc_verb(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--cache", str(cache.root)]
    assert main(["cache", "gc", "--dry-run", *where]) == 0
    assert "would remove 1 things" in capsys.readouterr().out
    assert len(kept(cache)) == 3
    assert main(["cache", "gc", "--json", *where]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [thing["path"] for thing in document["removed"]] == [str(cache.root / "blobs" / "old")]
    assert main(["cache", "gc", "--all", *where]) == 0
    assert kept(cache) == []


def test_list_verb(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "list", "--json", "--cache", str(cache.root)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["size"] == sum(thing["size"] for thing in document["things"]) > 0
    assert main(["cache", "list", "--cache", str(cache.root)]) == 0
    text = capsys.readouterr().out
    assert "40 days" in text
    assert "3 things" in text


CHANGING = """
import shutil, sys
from pathlib import Path
folder = Path(sys.argv[1]) / "bases"
print(flush=True)
while True:
    for number in range(20):
        (folder / f"{number}/a/b").mkdir(parents=True, exist_ok=True)
        (folder / f"{number}/a/b/file").write_text("x")
    for number in range(20):
        shutil.rmtree(folder / f"{number}")
"""


def test_it_can_be_listed_while_a_build_changes_it(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.folder("bases")
    with subprocess.Popen([sys.executable, "-c", CHANGING, tmp_path], stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        try:
            counts = {len(kept(cache)) for _ in range(100)}
            # On a busy machine the other process may not have had its turn yet.
            deadline = time.monotonic() + 60
            while len(counts) == 1 and time.monotonic() < deadline:
                counts.add(len(kept(cache)))
            assert child.poll() is None
        finally:
            child.kill()
    assert len(counts) > 1


def test_what_has_gone_since_it_was_listed_is_passed_over(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with in_use(cache):
        for name in ("one", "two"):
            (cache.folder("tars") / name).write_text("x")
    things = kept(cache)
    (tmp_path / "tars/one").unlink()
    remove(cache, things)
    assert kept(cache) == []

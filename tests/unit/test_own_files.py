"""Files and folders whose names others may know: no link is followed, no foreign cache is believed."""

from __future__ import annotations

import ast
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.atomic import Opening, open_own, write_own
from bootimg.builds.folder import open_build
from bootimg.builds.locks import build_lock, file_lock
from bootimg.cache import Cache, require_trusted
from bootimg.errors import BootimgError, ExitCode
from bootimg.housekeeping import in_use
from bootimg.orchestrator.journal import Journal
from bootimg.rpmdb.listcache import ListCache

SOURCE = Path(__file__).parents[2] / "bootimg"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes owners: needs root")


def hold_build(folder: Path) -> None:
    with build_lock(folder):
        pass


def hold_meta(folder: Path) -> None:
    with file_lock(folder / "meta.json"):
        pass


def hold_part(folder: Path) -> None:
    with Cache(folder).locked("part"):
        pass


def use(folder: Path) -> None:
    with in_use(Cache(folder)):
        pass


def note(folder: Path) -> None:
    Journal(folder / ".bootimg-journal.ndjson").record("step", "begun")


PLACES = [
    (hold_build, ".build.lock"),
    (hold_meta, ".meta.json.flock"),
    (hold_part, "locks/part"),
    (use, "locks/in-use"),
    (use, "CACHEDIR.TAG"),
    (note, ".bootimg-journal.ndjson"),
]


@pytest.mark.parametrize(("work", "name"), PLACES)
def test_a_link_in_the_place_of_a_lock_leads_nowhere(
    work: Callable[[Path], None], name: str, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    link = tmp_path / "folder" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(victim)
    if name == "CACHEDIR.TAG":
        # It is written into an empty folder alone.
        work(tmp_path / "folder")
    else:
        with pytest.raises(BootimgError) as error:
            work(tmp_path / "folder")
        assert error.value.id == "file-foreign"
        assert str(link) in str(error.value.hint)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize(("work", "name"), PLACES)
def test_a_copy_by_hard_links_can_be_used(work: Callable[[Path], None], name: str, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    work(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two", copy_function=os.link)
    work(tmp_path / "two")


def test_a_file_to_write_anew_has_one_name(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "name").hardlink_to(tmp_path / "victim")
    with pytest.raises(BootimgError) as error:
        write_own(tmp_path / "name", b"x")
    assert error.value.id == "file-foreign"
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_dangling_link_makes_no_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "made")
    for how in Opening:
        with pytest.raises((BootimgError, FileExistsError)):
            open_own(tmp_path / "link", how)
    assert not (tmp_path / "made").exists()


def test_what_is_no_file_is_refused_and_waited_for_by_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    for name in ("fifo", "folder"):
        with pytest.raises(BootimgError) as error:
            write_own(tmp_path / name, b"x")
        assert error.value.id == "file-foreign"


def test_a_folder_for_scratch_files_that_is_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").touch()
    (tmp_path / "builds/1/x86_64").mkdir(parents=True)
    (tmp_path / "builds/1/x86_64/.scratch").symlink_to(victim)
    with open_build(tmp_path / "builds", "1", Arch.X86_64) as build, pytest.raises(BootimgError) as error:
        _ = build.scratch
    assert error.value.id == "file-foreign"
    assert [each.name for each in victim.iterdir()] == ["precious"]


def test_a_team_s_tree_of_builds_works(tmp_path: Path) -> None:
    (tmp_path / "builds").mkdir(mode=0o777)
    (tmp_path / "builds").chmod(0o2777)
    with open_build(tmp_path / "builds", "1", Arch.X86_64) as build:
        build.meta.merge({"buildid": "1"})
        write_own(build.scratch / "x", b"x")


def untrusted(folder: Path) -> BootimgError:
    with pytest.raises(BootimgError) as error:
        use(folder)
    assert (error.value.id, error.value.exit_code) == ("cache-untrusted", ExitCode.ENVIRONMENT)
    return error.value


@pytest.mark.parametrize("name", ["", "locks"])
def test_a_cache_that_anybody_may_write_is_refused_with_the_way_to_mend_it(name: str, tmp_path: Path) -> None:
    use(tmp_path)
    (tmp_path / name).chmod(0o777)
    hint = str(untrusted(tmp_path).hint)
    command = hint.partition(",")[0]
    assert command.startswith("chmod -R ")
    assert os.system(command) == 0
    use(tmp_path)


@as_root
def test_whose_cache_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000740000)
    monkeypatch.setattr(os, "getegid", lambda: 0)
    monkeypatch.setattr(os, "getgroups", lambda: [0, 50])

    def trusted(uid: int, gid: int, mode: int) -> bool:
        os.chown(tmp_path, uid, gid)
        tmp_path.chmod(mode)
        try:
            require_trusted(tmp_path)
        except BootimgError as error:
            assert error.id == "cache-untrusted"
            return False
        return True

    # A pod's volume: root's, and group 0 may write; its own folder; one of the team's.
    assert trusted(0, 0, 0o775)
    assert trusted(0, 0, 0o2775)
    assert trusted(1000740000, 0, 0o755)
    assert trusted(1001, 50, 0o2775)
    assert trusted(0, 7, 0o755)
    # A group that the user is not in, everybody, and another user.
    assert not trusted(0, 7, 0o775)
    assert not trusted(1000740000, 7, 0o775)
    assert not trusted(0, 0, 0o777)
    assert not trusted(1000740000, 0, 0o1777)
    assert not trusted(1001, 50, 0o755)
    assert not trusted(1001, 7, 0o700)


def test_what_the_umask_lets_pass_does_not_make_a_cache_that_is_refused(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        use(tmp_path / "cache")
        use(tmp_path / "cache")
    finally:
        os.umask(before)


def test_the_lists_of_packages_are_a_cache_too(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(BootimgError) as error, ListCache(tmp_path).locked():
        pass
    assert error.value.id == "cache-untrusted"


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    entered = threading.Event()

    def second() -> None:
        with pytest.raises(BootimgError, match="build-running"):
            hold_build(tmp_path)
        entered.set()

    with build_lock(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(30)
    assert entered.is_set()


# Who opens for writing by other means, and why that is no place that others know beforehand.
ELSEWHERE = {
    "__main__.py": "/dev/null",
    "atomic.py": "the helpers themselves",
    "appliance/appliance.py": "in a scratch folder of its own",
    "appliance/worker.py": "in that folder",
    "browse/publish.py": "a site that is written, not a cache",
    "doctor/deepcheck.py": "in a scratch folder of its own",
    "disk/kargsoverlay.py": "in a scratch folder of its own",
    "cloud/registries/containers.py": "in a scratch folder of its own",
    "cloud/registries/copying.py": "in a scratch folder of its own",
    "disk/bootloaders/bootcode.py": "a disk in a scratch folder of its own",
    "disk/bootloaders/prepimage.py": "a disk in a scratch folder of its own",
    "disk/bootpatch.py": "a disk in a scratch folder of its own",
    "disk/ext4edit.py": "in a scratch folder of its own",
    "disk/extents.py": "a disk in a scratch folder of its own",
    "disk/gpt.py": "a disk in a scratch folder of its own",
    "disk/native/base.py": "a disk in a scratch folder of its own",
    "disk/native/content.py": "in a scratch folder of its own",
    "disk/native/esp.py": "in a scratch folder of its own",
    "disk/native/ext4fill.py": "in a scratch folder of its own",
    "disk/native/ext4pin.py": "in a scratch folder of its own",
    "disk/native/ext4read.py": "in a scratch folder of its own",
    "disk/native/products/readback.py": "in a scratch folder of its own",
    "disk/view.py": "in a scratch folder of its own",
    "disk/xfs/fill.py": "a disk in a scratch folder of its own",
    "disk/xfs/make.py": "a disk in a scratch folder of its own",
    "disk/xfsread.py": "in a scratch folder of its own",
    "layer/fetching/packedarchive.py": "in a scratch folder of its own",
    "layer/ostree/repoimage.py": "in a scratch folder of its own",
    "disk/zipl/blocks.py": "a copy of the boot partition in a scratch folder",
    "formats/plainimage.py": "in a scratch folder of its own",
    "layer/importing/selabels.py": "in a scratch folder of its own",
    "live/bootways/cdboot.py": "in a scratch folder of its own",
    "orchestrator/targets/secex.py": "in a scratch folder of the build, from which it is published",
    "secex/disk.py": "in a scratch folder of its own",
    "secex/hostimage.py": "in a scratch folder of its own, and a file in memory",
    "secex/verity.py": "a new file in a scratch folder",
    "live/booting/pxe.py": "in a scratch folder of its own",
    "live/embed/edit.py": "the ISO that the user names, and only in place",
    "live/initramfs.py": "in a scratch folder of its own",
    "live/iso/efiboot.py": "in a scratch folder of its own",
    "live/media.py": "in a scratch folder of its own",
    "live/programs/oflayer.py": "in a scratch folder of its own",
    "live/programs/program.py": "in a scratch folder of its own",
    "live/rootfsimage.py": "in a scratch folder of its own",
    "rpmdb/sqlitedb.py": "in a scratch folder of its own",
    "untrusted/limited.py": "in a scratch folder of its own",
    "vm/bootable.py": "in a scratch folder of its own",
    "vm/imagetool.py": "in a scratch folder of its own",
    "vm/guest.py": "the log that the user names, and a scratch folder",
    "vm/probe.py": "in a scratch folder of its own, and /dev/kvm",
    "vm/session.py": "in a scratch folder of its own",
}


def writes(path: Path) -> bool:
    """Whether a module opens files for writing, or locks them, by other means than `open_own`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            words = [each.value for each in node.args if isinstance(each, ast.Constant)]
            modes = [each for each in words if isinstance(each, str) and set(each) & set("wax+")]
            of_os = isinstance(node.func.value, ast.Name) and node.func.value.id == "os"
            if node.func.attr in ("write_text", "write_bytes", "touch"):
                return True
            if node.func.attr == "open" and (of_os or (modes and len(modes[0]) <= 3)):
                flags = ast.unparse(node)
                if not of_os or any(flag in flags for flag in ("O_CREAT", "O_WRONLY", "O_RDWR")):
                    return True
    return False


def test_nothing_else_opens_locks_journals_and_files_of_the_cache() -> None:
    found = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if writes(path)}
    assert found <= ELSEWHERE.keys()

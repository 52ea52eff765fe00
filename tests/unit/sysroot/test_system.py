"""The rules of a deployment on a small commit, and what is left to the appliance."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bootimg.errors import BootimgError
from bootimg.manifest.recipe import Attribute, Deploy, Directory, Ignition, Labels, Mount, Recipe
from bootimg.sysroot.entries import SELINUX, Entry, Kind, text
from bootimg.sysroot.payload import payload
from bootimg.sysroot.system import System, lay_out, open_system
from bootimg.sysroot.unsupported import NativeUnsupportedError
from bootimg.sysroot.versions import OstreeRules
from tests.support.layers.hostiletree import KERNEL, hostile_tree
from tests.support.layers.ostreedeploy import NOW, OSNAME, Committed, commit, recipe, require

NEW = OstreeRules((2025, 2), False)
COMPOSEFS = OstreeRules((2025, 2), True)
Labelled = Callable[[Sequence[tuple[str, int]]], dict[tuple[str, int], str]]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Committed:
    require()
    folder = tmp_path_factory.mktemp("hostile")
    return commit(hostile_tree(folder / "tree", 1), folder / "repo")


@pytest.fixture(scope="module")
def system(hostile: Committed) -> System:
    return hostile.laid_out(NEW)


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[Callable[[Path], object]], Committed]:
    """Commits the hostile tree after a change."""
    require()

    def make(change: Callable[[Path], object]) -> Committed:
        tree = hostile_tree(tmp_path / "tree", 3)
        change(tree)
        return commit(tree, tmp_path / "repo")

    return make


def named(entries: Sequence[Entry], end: str) -> Entry:
    (found,) = [entry for entry in entries if entry.path.decode().endswith(end)]
    return found


def deployed(system: System, path: str) -> Entry:
    return named(system.root, f".0/{path}")


def test_a_directory_comes_before_what_it_holds(system: System) -> None:
    for entries in (system.root, system.boot):
        seen: set[bytes] = set()
        for entry in entries:
            assert not entry.path or entry.path.rpartition(b"/")[0] in seen | {b""}
            seen.add(entry.path)
        assert len(seen) == len(entries)


def test_empty_files_are_copies_and_symlinks_are_links_of_their_object(system: System) -> None:
    zero = deployed(system, "usr/bin/zero")
    assert (zero.link, zero.mode, zero.mtime, dict(zero.xattrs)) == (None, 0o4755, NOW, {b"user.z": b"zz"})
    first, second = deployed(system, "usr/share/d/l 1"), deployed(system, "usr/share/d/l2")
    assert first.link == second.link
    assert first.link is not None
    assert replace(first, path=b"") == replace(second, path=b"")


def test_names_of_a_file_are_links_of_one_object(system: System) -> None:
    links = {deployed(system, f"usr/share/d/{name}").link for name in "134"}
    assert len(links) == 1
    members = [entry for entry in system.root if entry.link in links]
    assert {replace(entry, path=b"") for entry in members} == {replace(members[0], path=b"")}
    assert members[0].path.startswith(b"ostree/repo/objects/")


def test_etc_shares_the_blocks_of_objects_that_come_earlier(system: System) -> None:
    passwd, default = deployed(system, "etc/passwd"), deployed(system, "usr/etc/passwd")
    assert passwd.link is None
    assert passwd.mtime == NOW
    assert (passwd.gid, passwd.mode) == (default.gid, default.mode)
    place = {entry.path: number for number, entry in enumerate(system.root)}
    assert passwd.reflink is not None
    assert system.root[place[passwd.reflink]].link == default.link
    assert place[passwd.reflink] < place[passwd.path]
    assert deployed(system, "etc/empty").reflink is None


def test_stamps_of_updates_are_only_in_the_defaults(system: System) -> None:
    found = [entry.path.decode() for entry in system.root if entry.path.endswith(b"/.updated")]
    assert [path.partition(".0/")[2] for path in found] == ["usr/etc/.updated"]


def test_a_whiteout_is_a_device_with_the_file_s_attributes(system: System) -> None:
    gone = deployed(system, "usr/lib/containers/over/gone")
    assert (gone.kind, gone.uid, gone.gid, gone.mode, gone.link) == (Kind.WHITEOUT, 1, 2, 0o640, None)
    assert dict(gone.xattrs) == {SELINUX: b"system_u:object_r:usr_t:s0\0"}
    assert not any(b".ostree-wh." in entry.path for entry in system.root)


def test_the_root_of_the_deployment_is_the_commit_s_and_immutable(system: System) -> None:
    (root,) = [entry for entry in system.root if entry.immutable]
    assert root.path.endswith(b".0")
    assert (root.mode, root.mtime) == (0o555, NOW)
    assert deployed(system, "usr").mtime == 0


def test_var_is_the_commit_s_with_a_mode_of_its_own(system: System) -> None:
    var = {
        entry.path.decode().partition("/var/")[2]: entry
        for entry in system.root
        if entry.path.startswith(f"ostree/deploy/{OSNAME}/var/".encode())
    }
    assert sorted(var) == [".ostree-selabeled", "lib", "lib/empty", "lib/x", "lib/x/f", "run", "tmp"]
    assert (var["lib/x"].uid, var["lib/x"].gid, var["lib/x"].mode) == (5, 6, 0o2770)
    own = named(system.root, f"{OSNAME}/var")
    assert (own.mode, own.uid) == (0o755, 0)


def test_objects_have_only_the_folders_that_they_need(system: System, hostile: Committed) -> None:
    folders = {
        entry.path.decode()[-2:]
        for entry in system.root
        if entry.kind is Kind.DIRECTORY and entry.path.startswith(b"ostree/repo/objects/")
    }
    assert folders == {name[:2] for name in hostile.imported.files}


def test_the_boot_entry_s_links_lead_to_the_deployment(system: System, hostile: Committed) -> None:
    link = next(entry for entry in system.root if entry.path.startswith(b"ostree/boot.1.1/") and entry.target)
    folder = Path("/", os.fsdecode(link.path)).parent
    assert os.path.normpath(folder / os.fsdecode(link.target)) == (
        f"/ostree/deploy/{OSNAME}/deploy/{hostile.imported.checksum}.0"
    )
    assert named(system.root, "ostree/boot.1").target == b"boot.1.1"
    content = named(system.boot, ".conf").content
    assert isinstance(content, bytes)
    options = next(line for line in content.decode().splitlines() if line.startswith("options "))
    bootcsum = os.fsdecode(link.path).split("/")[3]
    assert options.endswith(f" y x=2 $ignition_firstboot ostree=/ostree/boot.1/{OSNAME}/{bootcsum}/0")
    assert options.startswith('options rw a="b c" rw x=1')


def test_boot_s_files_have_no_attributes_of_the_commit(system: System) -> None:
    assert {entry.xattrs for entry in system.boot} == {()}
    assert named(system.boot, "initramfs-6.1-x.img").mode == 0o600


def with_labels(base: Recipe) -> Recipe:
    assert base.sysroot
    return replace(
        base,
        labels=(Labels("/", (4,), "etc/selinux/x/contexts/files/file_contexts"),),
        sysroot=replace(base.sysroot, label_deployment=True),
    )


def test_labels_are_those_of_the_paths_as_the_running_system_has_them(hostile: Committed) -> None:
    asked: list[tuple[str, int]] = []

    def look_up(keys: Sequence[tuple[str, int]]) -> dict[tuple[str, int], str]:
        asked.extend(keys)
        return {key: f"x:{key[0]}" for key in keys if key[0] != "/etc/copy"}

    found = lay_out(hostile.wanted(NEW, with_labels(recipe())), look_up)

    def label(entry: Entry) -> bytes | None:
        return dict(entry.xattrs).get(SELINUX)

    assert label(deployed(found, "etc/copy2")) == b"x:/etc/copy2\0"
    # The policy says <<none>>: the file keeps the commit's label.
    assert label(deployed(found, "etc/copy")) == b"system_u:object_r:etc_t:s0\0"
    assert label(deployed(found, "usr/etc/copy")) == b"system_u:object_r:etc_t:s0\0"
    assert label(named(found.root, f"{OSNAME}/var/lib/x/f")) == b"x:/var/lib/x/f\0"
    assert label(named(found.root, "root-transient/upper")) == b"x:/\0"
    assert label(named(found.root, "root-transient/work")) is not None
    assert label(named(found.boot, "loader.1")) == b"x:/boot/loader.1\0"
    assert label(found.boot[0]) == b"x:/boot\0"
    assert label(found.root[0]) == b"x:/\0"
    assert label(deployed(found, "usr/bin/su")) is None
    assert len(asked) == len(set(asked))


def test_without_a_policy_nothing_is_looked_up(hostile: Committed) -> None:
    def look_up(keys: Sequence[tuple[str, int]]) -> dict[tuple[str, int], str]:
        raise AssertionError

    lay_out(hostile.wanted(NEW), look_up)


def test_what_the_caller_adds_is_labelled_too(hostile: Committed) -> None:
    found = lay_out(
        hostile.wanted(NEW, with_labels(recipe())),
        lambda keys: {key: f"x:{key[0]}" for key in keys},
        additions=[text(".aleph-version.json", b"{}", NOW)],
        bootloader=[text("grub2", b"", NOW)],
    )
    assert dict(named(found.root, ".aleph-version.json").xattrs) == {SELINUX: b"x:/.aleph-version.json\0"}
    assert dict(named(found.boot, "grub2").xattrs) == {SELINUX: b"x:/boot/grub2\0"}


def test_a_payload_is_root_s_and_has_no_attributes(hostile: Committed) -> None:
    found = payload(hostile.wanted(NEW).commit, "usr/bin", "EFI/x", NOW, wanted=lambda path: path != "zero")
    assert [(entry.path, entry.mode, entry.gid, entry.xattrs) for entry in found] == [
        (b"EFI/x", 0o755, 0, ()), (b"EFI/x/cap", 0o644, 0, ()), (b"EFI/x/su", 0o755, 0, ()),
    ]  # fmt: skip
    with pytest.raises(NativeUnsupportedError, match="is a symlink"):
        payload(hostile.wanted(NEW).commit, "usr/etc", "EFI", NOW)


def test_composefs_has_its_image(hostile: Committed, changed: Callable[..., Committed]) -> None:
    with pytest.raises(NativeUnsupportedError, match="whiteouts"):
        hostile.laid_out(COMPOSEFS)
    plain = changed(lambda tree: (tree / "usr/lib/containers/over/.ostree-wh.gone").unlink())
    image = deployed(plain.laid_out(COMPOSEFS), ".ostree.cfs")
    assert isinstance(image.content, bytes)
    assert image.content[1024:1028] == b"\xe2\xe1\xf5\xe0"


def prepare_root(tree: Path, content: str) -> None:
    path = tree / "usr/lib/ostree/prepare-root.conf"
    path.parent.mkdir(parents=True)
    path.write_text(content)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tree: (tree / KERNEL / "initramfs.img").unlink(), "has no initramfs"),
        (lambda tree: (tree / KERNEL / "vmlinuz").unlink(), "has 0 kernels"),
        (lambda tree: (tree / "usr/lib/modules/nokernel/vmlinuz").write_text("x"), "has 2 kernels"),
        (lambda tree: (tree / KERNEL / "aboot.img").touch(), "Android boot image"),
        (lambda tree: (tree / "usr/lib/os-release").write_text("PRETTY_NAME=a b\n"), "line 1 is neither"),
        (lambda tree: (tree / "usr/lib/os-release").write_text("ID='a\n"), "line 1 is neither"),
        (lambda tree: (tree / "usr/etc").rename(tree / "usr/old"), "no /usr/etc"),
        (lambda tree: ((tree / "etc").mkdir(), (tree / "etc/x").touch()), "content in /etc"),
        (lambda tree: (tree / "var").write_text("x"), "/var of the commit is not a directory"),
        (lambda tree: (tree / "usr/etc/.ostree-wh.x").touch(), "whiteout in /usr/etc"),
        (lambda tree: (tree / "usr/lib/containers/over/gone").touch(), "would be there twice"),
        (lambda tree: (tree / "usr/bin/.ostree-wh.").touch(), "without a name"),
        (
            lambda tree: os.setxattr(tree / "usr/lib/containers/over/.ostree-wh.gone", "user.x", b"1"),
            "no file system holds",
        ),
        (lambda tree: (tree / "usr/lib/os-release").write_text("NAME=x\n"), "neither PRETTY_NAME nor ID"),
        (lambda tree: (tree / "usr/lib/os-release").unlink(), "no os-release"),
        (lambda tree: prepare_root(tree, "[composefs]\nenabled = verity\n"), "composefs.enabled is verity"),
        (lambda tree: prepare_root(tree, "[composefs]\nenabled=signed\n"), "composefs.enabled is signed"),
        (lambda tree: prepare_root(tree, "[composefs]\nnew=1\n"), "key composefs.new"),
        (lambda tree: prepare_root(tree, "[composefs]\nenabled=yes\n"), "built without"),
        (lambda tree: prepare_root(tree, "no section\n"), "cannot be read"),
    ],
)
def test_a_commit_that_is_left_to_the_appliance(
    change: Callable[[Path], object], reason: str, changed: Callable[..., Committed]
) -> None:
    with pytest.raises(NativeUnsupportedError, match=reason) as caught:
        changed(change).laid_out(NEW)
    assert caught.value.error.id == "deploy-native-unsupported"
    assert not caught.value.reason.endswith(".")


def test_two_configurations_must_agree(changed: Callable[..., Committed]) -> None:
    def change(tree: Path) -> None:
        prepare_root(tree, "[composefs]\nenabled = no\n")
        (tree / "usr/etc/ostree").mkdir()
        (tree / "usr/etc/ostree/prepare-root.conf").write_text("[composefs]\nenabled = maybe\n")

    with pytest.raises(NativeUnsupportedError, match="do not agree"):
        changed(change).laid_out(NEW)


def test_composefs_may_be_disabled(changed: Callable[..., Committed]) -> None:
    old = OstreeRules((2024, 10), True)

    def change(tree: Path) -> None:
        prepare_root(tree, "# comment\n[composefs]\nenabled = no\n[sysroot]\nreadonly=true\n")

    assert not [e for e in changed(change).laid_out(old).root if e.path.endswith(b".ostree.cfs")]


def sysroot(**changes: object) -> Recipe:
    base = recipe()
    assert base.sysroot
    return replace(base, sysroot=replace(base.sysroot, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        (recipe(sysroot=None), "bootc"),
        (sysroot(osname="../x"), "stateroot"),
        (sysroot(deploy=Deploy("x", ("ostree=/x",), ())), "kernel arguments that ostree sets"),
        (recipe(directories=(Directory(7, "/x", 0o755),)), "directories elsewhere"),
        (
            recipe(mounts=(Mount(4, "/"), Mount(3, "/boot"), Mount(2, "/boot/efi")),
                   directories=(Directory(2, "/x", 0o755),)),
            "directories elsewhere",
        ),
        (sysroot(repo_config={"sysroot.bootloader": "zipl"}), "a bootloader that ostree configures"),
        (sysroot(repo_config_after={"ex-integrity.composefs": "yes"}), "keys of the repository"),
        (sysroot(ignition=Ignition("/boot/x", ())), "stamp of Ignition"),
        (sysroot(deployment_attributes=(Attribute("/usr", True),)), "flags of single files"),
        (recipe(mounts=(Mount(4, "/"), Mount(3, "/boot"), Mount(5, "/var"))), "more file systems"),
        (recipe(mounts=(Mount(4, "/"),)), "no file system for /boot"),
        (recipe(labels=(Labels("/", (4,), "x"),)), "none of the deployment"),
    ],
    ids=str,
)  # fmt: skip
def test_a_recipe_that_is_left_to_the_appliance(of: Recipe, reason: str, hostile: Committed) -> None:
    with pytest.raises(NativeUnsupportedError, match=reason):
        hostile.laid_out(NEW, of)


def test_the_recipe_s_directories_are_made_where_they_are_mounted(hostile: Committed) -> None:
    made = (Directory(4, "/boot", 0o700), Directory(3, "/efi", 0o711), Directory(4, "/a/b", 0o750))
    of = sysroot(directories=(Directory(None, "/boot/x/y", 0o755), Directory(None, "/c", 0o755)))
    found = hostile.laid_out(NEW, replace(of, directories=made))
    assert [(e.path, e.mode) for e in found.root[1:5]] == [
        (b"boot", 0o700), (b"a", 0o755), (b"a/b", 0o750), (b"c", 0o755),
    ]  # fmt: skip
    assert [(e.path, e.mode) for e in found.boot[2:5]] == [
        (b"efi", 0o711), (b"x", 0o755), (b"x/y", 0o755),
    ]  # fmt: skip


def test_the_flag_is_as_the_recipe_says_last(hostile: Committed) -> None:
    off = sysroot(deployment_attributes=(Attribute("/", False),))
    assert not any(entry.immutable for entry in hostile.laid_out(NEW, off).root)
    again = replace(off, attributes=(Attribute("/", True),))
    assert any(entry.immutable for entry in hostile.laid_out(NEW, again).root)


def test_two_runs_give_the_same_entries(hostile: Committed, system: System) -> None:
    assert hostile.laid_out(NEW) == system


def test_an_unknown_ostree_is_left_to_the_appliance(hostile: Committed) -> None:
    with pytest.raises(NativeUnsupportedError, match="version"):
        open_system(recipe(), hostile.repo, hostile.imported)


def test_a_repository_in_archive_mode_is_left_to_the_appliance(hostile: Committed) -> None:
    archived = replace(hostile.imported, files={"00/11.filez": 1})
    with pytest.raises(NativeUnsupportedError, match="attributes"):
        open_system(recipe(), hostile.repo, archived)


@pytest.mark.parametrize("kind", ["commit", "dirtree", "dirmeta", "file"])
def test_a_damaged_object_is_refused(kind: str, tmp_path: Path) -> None:
    require()
    made = commit(hostile_tree(tmp_path / "tree", 3), tmp_path / "repo")
    path = next(tmp_path.glob(f"repo/objects/*/*.{kind}"))
    if kind == "file":
        kernel = (tmp_path / "tree" / KERNEL / "vmlinuz").read_bytes()
        path = next(each for each in tmp_path.glob("repo/objects/*/*.file") if each.read_bytes() == kernel)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    with pytest.raises(BootimgError) as caught:
        made.laid_out(NEW)
    assert caught.value.id == "repository-damaged"


def test_a_file_of_another_size_is_refused(hostile: Committed) -> None:
    name = next(name for name, size in hostile.imported.files.items() if name.endswith(".file") and size > 1)
    files = {**hostile.imported.files, name: 1}
    with pytest.raises(BootimgError) as caught:
        replace(hostile, imported=replace(hostile.imported, files=files)).laid_out(NEW)
    assert caught.value.id == "repository-damaged"

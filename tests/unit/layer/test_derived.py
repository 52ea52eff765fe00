"""Layers derived from an encapsulated image: what of them is kept, and how they are laid over the base."""

from __future__ import annotations

import tarfile

import pytest

from bootimg.errors import BootimgError
from bootimg.layer.ostree.containertree import OstreeTree
from bootimg.layer.ostree.derived import derived_tree, takes_all
from bootimg.layer.ostree.flatten import container_view, flatten
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tar.tarformat import read_entries
from bootimg.untrusted.budget import Budget
from tests.support.layers import oci

INSIDE = "sysroot/ostree/repo/objects/ab/x.file"


def layer(*members: oci.Member, everything: bool = False) -> OstreeTree:
    return derived_tree(read_entries(oci.tar(*members), Budget()), Budget(), everything=everything)


BASE = layer(
    oci.file("usr/share/file", b"1"),
    oci.file("usr/share/dir/in", b"1"),
    oci.file("usr/share/dir/deep/in", b"1"),
    oci.symlink("usr/share/link", "dir"),
    oci.folder("usr/share", 0o700, uid=3),
    oci.file("etc/conf", b"1"),
)


def merged(*layers: OstreeTree) -> dict[str, Entry]:
    return dict(flatten(BASE, layers).entries)


def test_what_is_kept_of_a_layer() -> None:
    members = (
        oci.file("etc/x"), oci.file("usr/x"), oci.file("var/x"), oci.file("opt/x"), oci.folder("run"),
        oci.file("run/a/b"), oci.file("run/a/c"), oci.folder("dev/shm"), oci.symlink("lib", "usr/lib"),
        oci.file("sysroot/y"),
    )  # fmt: skip
    found = layer(*members)
    assert sorted(found.entries) == ["", "run", "usr", "usr/etc", "usr/etc/x", "usr/x", "var", "var/x"]
    # What is below an API file system is counted by its own name, all else by its top directory's.
    assert found.filtered == {"opt": 1, "a": 2, "shm": 1, "lib": 1, "sysroot": 1}
    overlay = layer(*members, everything=True)
    assert {"opt/x", "lib", "sysroot/y"} <= overlay.entries.keys()
    assert overlay.filtered == {"a": 2, "shm": 1}


NULL = oci.member("dev/null", tarfile.CHRTYPE, devmajor=1, devminor=3)


@pytest.mark.parametrize("everything", [False, True])
def test_device_nodes_go_with_the_places_they_are_in(everything: bool) -> None:
    found = layer(
        NULL, oci.hardlink("dev/same", "dev/null"), oci.member("run/fifo", tarfile.FIFOTYPE),
        oci.member("tmp/.wh.x", tarfile.BLKTYPE), oci.file("usr/x"), everything=everything,
    )  # fmt: skip
    assert sorted(found.entries) == ["", "usr", "usr/x"]
    assert found.filtered == {"null": 1, "same": 1, "fifo": 1, ".wh.x": 1}
    assert layer(oci.member("opt/fifo", tarfile.FIFOTYPE)).filtered == {"opt": 1}


@pytest.mark.parametrize(
    ("id", "members"),
    [
        ("layer-device-node", [oci.member("usr/null", tarfile.CHRTYPE)]),
        ("layer-device-node", [oci.member("etc/fifo", tarfile.FIFOTYPE)]),
        ("layer-device-node", [oci.member("var/sda", tarfile.BLKTYPE)]),
        ("layer-device-node", [oci.member("dev", tarfile.CHRTYPE)]),
        ("layer-device-node", [oci.member("usr/.wh.x", tarfile.CHRTYPE)]),
        ("layer-link-unsafe", [NULL, oci.hardlink("usr/null", "dev/null")]),
    ],
)
def test_device_nodes_are_refused_where_files_are_kept(id: str, members: list[oci.Member]) -> None:
    with pytest.raises(BootimgError) as error:
        layer(*members)
    assert error.value.id == id
    with pytest.raises(BootimgError):
        layer(*members, everything=True)


@pytest.mark.parametrize(
    ("text", "everything"),
    [
        ("", False),
        ("[composefs]\nenabled=no\n", False),
        ("[composefs]\nenabled = yes\n", True),
        ("[composefs]\nenabled=maybe\n", True),
        ("[composefs]\nenabled=signed\n", True),
        ("[root]\ntransient=true\n", True),
        ("[root]\ntransient=false\n", False),
        ("# all else\n[sysroot]\nreadonly=true\n", False),
    ],
)
def test_the_bases_root_decides_about_files_outside_usr(text: str, everything: bool) -> None:
    assert takes_all(text.encode()) is everything


def test_implied_directories_belong_to_their_first_file() -> None:
    found = layer(oci.file("usr/a/b/c", uid=5, gid=6)).entries
    assert (found["usr/a/b"].uid, found["usr/a/b"].gid, found["usr/a/b"].mode) == (5, 6, 0o755)


def test_hardlinks_within_a_layer() -> None:
    found = layer(
        oci.file("etc/a", b"a", 0o4755), oci.hardlink("etc/b", "etc/a"), oci.hardlink("usr/c", "etc/b")
    ).entries
    keys = {found[path].link_key for path in ("usr/etc/a", "usr/etc/b", "usr/c")}
    assert len(keys) == 1
    assert found["usr/c"].kind is Kind.FILE
    assert found["usr/c"].mode == 0o4755


@pytest.mark.parametrize(
    "members",
    [
        [oci.hardlink("usr/a", "usr/a")],
        [oci.hardlink("usr/a", "usr/b"), oci.hardlink("usr/b", "usr/a")],
        [oci.hardlink("usr/a", "usr/none")],
        [oci.folder("usr/d"), oci.hardlink("usr/a", "usr/d")],
        [oci.hardlink("usr/a", "../etc/shadow")],
    ],
)
def test_links_that_lead_nowhere_are_refused(members: list[oci.Member]) -> None:
    with pytest.raises(BootimgError) as error:
        layer(*members)
    assert error.value.id == "layer-link-unsafe"


@pytest.mark.parametrize(
    "members",
    [
        [oci.file("usr/a"), oci.file("usr/a/b")],
        [oci.folder("usr/a"), oci.file("usr/a")],
        [oci.symlink("usr/a", "/etc"), oci.folder("usr/a")],
        [oci.file("usr/../../x")],
        [oci.file("/usr/x")],
    ],
)
def test_paths_that_contradict_are_refused(members: list[oci.Member]) -> None:
    with pytest.raises(BootimgError) as error:
        layer(*members)
    assert error.value.id == "layer-path-unsafe"


def test_files_changed_within_the_repository_are_the_first_of_their_names() -> None:
    found = layer(
        oci.file(INSIDE, b"new", 0o4755),
        oci.hardlink("usr/one", INSIDE),
        oci.hardlink("etc/two", INSIDE),
        oci.hardlink("usr/none", INSIDE + "x"),
    )
    assert sorted(found.entries) == ["", "usr", "usr/etc", "usr/etc/two", "usr/one"]
    assert found.entries["usr/one"].size == found.entries["usr/etc/two"].size == 3
    assert found.filtered == {}


def test_a_directory_keeps_what_it_was() -> None:
    found = merged(layer(oci.folder("usr/share", 0o777, uid=9), oci.folder("usr/new", 0o711, uid=9)))
    assert (found["usr/share"].mode, found["usr/share"].uid) == (0o700, 3)
    assert (found["usr/new"].mode, found["usr/new"].uid) == (0o711, 9)


def test_whiteouts() -> None:
    found = merged(layer(oci.file("usr/share/.wh.dir"), oci.file("etc/.wh.conf")))
    assert not any(path.startswith("usr/share/dir") for path in found)
    assert "usr/etc/conf" not in found
    assert not any(".wh." in path for path in found)


def test_an_opaque_directory_takes_its_own_mode() -> None:
    found = merged(layer(
        oci.folder("usr/share/dir", 0o711), oci.file("usr/share/dir/.wh..wh..opq"),
        oci.file("usr/share/dir/new"),
    ))  # fmt: skip
    assert [path for path in found if path.startswith("usr/share/dir/")] == ["usr/share/dir/new"]
    assert found["usr/share/dir"].mode == 0o711


def test_a_whiteout_hides_names_of_its_own_layer_that_come_before_it() -> None:
    share = [oci.file("usr/share/-a"), oci.file("usr/share/.wh.-a"), oci.file("usr/share/.wh.z"),
             oci.file("usr/share/z")]  # fmt: skip
    found = merged(layer(*share))
    assert "usr/share/-a" not in found
    assert "usr/share/z" in found


def test_a_symlink_is_not_a_whiteout() -> None:
    found = merged(layer(oci.symlink("usr/share/.wh.file", "x")))
    assert {"usr/share/file", "usr/share/.wh.file"} <= found.keys()


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh..."])
def test_whiteouts_of_nothing_are_refused(name: str) -> None:
    with pytest.raises(BootimgError) as error:
        merged(layer(oci.file(f"usr/share/{name}")))
    assert error.value.id == "layer-path-unsafe"


def test_a_file_or_directory_replaces_what_is_at_its_path() -> None:
    found = merged(
        layer(oci.file("usr/share/dir"), oci.file("usr/share/link/in"), oci.symlink("usr/share/file", "x"))
    )
    assert found["usr/share/dir"].kind is Kind.FILE
    assert "usr/share/dir/in" not in found
    # Symlinks of the base are not followed.
    assert found["usr/share/link"].kind is Kind.DIRECTORY
    assert found["usr/share/file"].kind is Kind.SYMLINK


def test_without_layers_the_base_is_unchanged() -> None:
    left = layer(oci.file("etc/hostname"), oci.file("etc/resolv.conf", b"x"), oci.file("usr/x"))
    assert flatten(left, []) is left
    assert sorted(flatten(left, [layer()]).entries) == ["", "usr", "usr/etc", "usr/etc/resolv.conf", "usr/x"]


def test_containers_see_etc_in_its_place() -> None:
    view = container_view(BASE)
    assert {"etc", "etc/conf"} <= view.keys()
    assert "usr/etc" not in view
    assert view["etc/conf"].path == "etc/conf"

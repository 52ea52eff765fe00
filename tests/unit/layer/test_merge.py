"""Layers laid over each other: the OCI's whiteouts, last writer wins, links, symlinked parents."""

import tarfile
from pathlib import Path

import pytest

from bootimg.errors import BootimgError
from bootimg.layer.importing.plaincommits import layer_trees
from bootimg.layer.ostree.containertree import to_ostree
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tar.merge import Merged
from bootimg.layer.tar.opened import LayerTar
from bootimg.layer.tar.paths import resolve
from bootimg.layer.tar.tarformat import read_entries
from bootimg.layer.tree.merged import Tree
from bootimg.untrusted.budget import IMPLIED, Budget
from bootimg.untrusted.limits import Limits
from tests.support.layers import oci


def merge(*layers: list[oci.Member]) -> dict[str, Entry]:
    merged = Merged(Budget())
    for number, members in enumerate(layers):
        merged.apply(read_entries(oci.tar(*members), Budget(), number))
    return merged.entries


def paths(*layers: list[oci.Member]) -> list[str]:
    return sorted(path for path in merge(*layers) if path)


def test_last_writer_wins() -> None:
    entries = merge([oci.file("a", b"old"), oci.file("a", b"newer")], [oci.file("b")], [oci.file("a", b"3")])
    assert (entries["a"].layer, entries["a"].size) == (2, 1)


def test_a_whiteout_hides_a_tree() -> None:
    assert paths([oci.file("d/e/f"), oci.file("k")], [oci.file(".wh.d")]) == ["k"]


def test_a_whiteout_never_hides_its_own_layer() -> None:
    assert paths([oci.file("d/old")], [oci.file("d/new"), oci.file(".wh.d")]) == ["d", "d/new"]


def test_a_whiteout_of_nothing_is_nothing() -> None:
    assert paths([oci.file("a")], [oci.file(".wh.b"), oci.file("x/.wh.y")]) == ["a"]


@pytest.mark.parametrize("first", [True, False])
def test_an_opaque_directory_hides_what_is_below_wherever_it_stands(first: bool) -> None:
    mark, new = oci.file("d/.wh..wh..opq"), oci.file("d/new")
    layer = [oci.folder("d", 0o700), mark, new] if first else [oci.folder("d", 0o700), new, mark]
    assert paths([oci.file("d/old/x"), oci.file("k")], layer) == ["d", "d/new", "k"]


def test_a_directory_over_a_directory_keeps_its_content_and_takes_the_mode() -> None:
    entries = merge([oci.folder("d", 0o755), oci.file("d/f")], [oci.folder("d", 0o700)])
    assert entries["d"].mode == 0o700
    assert "d/f" in entries


def test_a_file_replaces_a_directory_and_the_other_way_round() -> None:
    assert paths([oci.file("a/b/c")], [oci.file("a")]) == ["a"]
    assert paths([oci.file("a")], [oci.folder("a"), oci.file("a/b")]) == ["a", "a/b"]


def test_a_directory_replaces_a_symlink() -> None:
    entries = merge(
        [oci.folder("usr/bin"), oci.symlink("bin", "usr/bin")], [oci.folder("bin"), oci.file("bin/x")]
    )
    assert entries["bin"].kind is Kind.DIRECTORY
    assert "usr/bin/x" not in entries


@pytest.mark.parametrize("target", ["usr/bin", "/usr/bin", "../../usr/bin", "via"])
def test_a_symlinked_parent_is_followed_inside_the_tree(target: str) -> None:
    base = [oci.folder("usr/bin"), oci.symlink("via", "./usr//bin"), oci.symlink("bin", target)]
    assert "usr/bin/x" in merge(base, [oci.file("bin/x")])


def test_a_whiteout_through_a_symlink() -> None:
    base = [oci.file("usr/bin/x"), oci.symlink("bin", "usr/bin")]
    assert "usr/bin/x" not in merge(base, [oci.file("bin/.wh.x")])


@pytest.mark.parametrize("parent", [oci.file("p"), oci.symlink("p", "nowhere"), oci.symlink("p", "p")])
def test_a_parent_that_is_not_a_directory_is_refused(parent: oci.Member) -> None:
    with pytest.raises(BootimgError) as error:
        merge([parent], [oci.file("p/x")])
    assert error.value.id == "layer-path-unsafe"


def test_hardlinks_share_a_key_within_and_across_layers() -> None:
    entries = merge([oci.file("a", b"1"), oci.hardlink("b", "a")], [oci.hardlink("c", "./b")])
    assert entries["a"].link_key == entries["b"].link_key == entries["c"].link_key
    assert entries["c"].kind is Kind.FILE


def test_a_hardlink_keeps_its_content_when_its_target_goes() -> None:
    entries = merge([oci.file("a", b"1"), oci.hardlink("b", "a")], [oci.file("a", b"22")])
    assert (entries["b"].size, entries["a"].size) == (1, 2)


@pytest.mark.parametrize("base", [[oci.file("x")], [oci.folder("a")], [oci.hardlink("a", "b")]])
def test_a_hardlink_to_no_file_is_refused(base: list[oci.Member]) -> None:
    with pytest.raises(BootimgError) as error:
        merge(base, [oci.hardlink("b", "a")])
    assert error.value.id == "layer-link-unsafe"


def test_implied_directories_are_root_and_0755() -> None:
    entry = merge([oci.file("a/b/c")])["a/b"]
    assert (entry.kind, entry.mode, entry.uid, entry.gid) == (Kind.DIRECTORY, 0o755, 0, 0)


def test_the_root_takes_its_own_member() -> None:
    assert merge([oci.folder("./", 0o711)])[""].mode == 0o711


def test_no_symlinks_make_a_tree_too_deep() -> None:
    deep = "/".join("d" * 200)
    with pytest.raises(BootimgError) as error:
        merge([oci.folder(deep), oci.symlink("s", deep)], [oci.file("s/" + deep)])
    assert error.value.id == "layer-path-unsafe"


def test_apply_tells_where_entries_landed() -> None:
    merged = Merged(Budget())
    merged.apply(read_entries(oci.tar(oci.folder("usr/bin"), oci.symlink("bin", "usr/bin")), Budget()))
    landed = merged.apply(read_entries(oci.tar(oci.file("bin/x"), oci.file("bin/.wh.y")), Budget()))
    assert [entry.path for entry in landed] == ["usr/bin/x", "usr/bin/.wh.y"]


def test_resolve_stays_inside_and_ends() -> None:
    entries = merge([oci.file("etc/f"), oci.symlink("up", "../../etc"), oci.symlink("o", "o"), oci.file("g")])
    assert resolve(entries, "up/f", Budget()) == "etc/f"
    assert resolve(entries, "/etc/./f", Budget()) == "etc/f"
    assert resolve(entries, "o/f", Budget()) is None
    assert resolve(entries, "g/f", Budget()) is None
    assert resolve(entries, "", Budget()) == ""


def test_device_nodes_are_dropped_with_the_places_they_are_in() -> None:
    null, link = oci.member("dev/null", tarfile.CHRTYPE), oci.symlink("var/run", "../run")
    entries = merge(
        [
            oci.folder("run"),
            null,
            oci.hardlink("dev/same", "dev/null"),
            link,
            oci.member("var/run/fifo", tarfile.FIFOTYPE),
        ],
        [
            oci.file("dev/.wh.same"),
            oci.file("usr/x"),
            oci.file("tmp/x"),
            oci.member("tmp/x", tarfile.BLKTYPE),
        ],
    )
    root = entries.pop("")
    found = to_ostree(entries.values(), root)
    assert sorted(found.entries) == ["", "dev", "run", "tmp", "usr", "usr/x", "var", "var/run"]
    assert found.filtered == {"dev": 1, "run": 1, "tmp": 1}


@pytest.mark.parametrize(
    "members",
    [
        [oci.member("usr/x", tarfile.CHRTYPE)],
        [oci.member("dev", tarfile.CHRTYPE)],
        [oci.member("dev/null", tarfile.CHRTYPE), oci.hardlink("usr/x", "dev/null")],
        [oci.folder("usr"), oci.symlink("dev", "usr"), oci.member("dev/x", tarfile.FIFOTYPE)],
        [oci.file("usr/x"), oci.member("usr/.wh.x", tarfile.FIFOTYPE)],
    ],
)
def test_device_nodes_are_refused_where_files_are_kept(members: list[oci.Member]) -> None:
    with pytest.raises(BootimgError) as error:
        merge(members)
    assert error.value.id == "layer-device-node"


def test_directories_that_each_layer_implies_again_are_counted_together() -> None:
    """A layer alone needs the directories to which the links of a lower layer lead."""
    deep = "/".join("d" * 20)
    base = [oci.folder(deep[: 2 * each + 1]) for each in range(20)] + [oci.symlink("link", deep)]
    layers = [base, *([oci.file(f"link/{each}")] for each in range(3))]
    tars = [
        LayerTar(f"sha256:{number}", Path(), tuple(read_entries(oci.tar(*members), Budget(), number)))
        for number, members in enumerate(layers)
    ]
    once = 20 * (IMPLIED + 100)
    assert len(layer_trees(Tree(tars, budget=Budget(Limits(metadata=4 * once))))) == 4
    tree = Tree(tars, budget=Budget(Limits(metadata=2 * once)))
    with pytest.raises(BootimgError, match="image-over-budget"):
        layer_trees(tree)

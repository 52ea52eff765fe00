"""Encapsulated images: which layers they are, objects verified, the tree, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.layer_deploy import require_programs
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.layer.declared.facts import read_facts
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.ostree.committree import commit_tree
from bootimg.layer.ostree.layerobjects import LayerObjects
from bootimg.layer.ostree.objects import directory_metadata, directory_tree
from bootimg.layer.tar.entry import Kind
from bootimg.layer.tree.merged import Tree, open_tree
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limits import Limits
from tests.support.layers import oci
from tests.support.layers.encapsulated import SYSTEM, Commit, File, Folder, content_members, object_path

Members = list[list[oci.Member]]


def opened(
    folder: Path,
    commit: Commit,
    layers: Members,
    *derived: list[oci.Member],
    labels: Mapping[str, str] | None = None,
) -> Tree:
    """The tree of an image with the commit's layers and others above them."""
    tars = [oci.tar(*members) for members in (*layers, *derived)]
    layout = oci.Layout(folder / "image")
    layout.add(tars, labels=labels or commit.labels(tars, len(layers)))
    cache = Cache(folder / "cache")
    image = fetch(str(layout.path), arch=Arch.X86_64, cache=cache, events=Events())
    tree = open_tree(image, cache, Events())
    read_facts(image, tree)
    return tree


def refused(folder: Path, commit: Commit, layers: Members, *derived: list[oci.Member]) -> BootimgError:
    with pytest.raises(BootimgError) as error:
        opened(folder, commit, layers, *derived)
    return error.value


@pytest.fixture
def commit() -> Commit:
    return Commit(SYSTEM)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_tree_is_the_commits_with_etc_in_its_place(tmp_path: Path, commit: Commit, count: int) -> None:
    tree = opened(tmp_path, commit, commit.layers(count))
    assert tree.read("etc/conf") == b"conf"
    assert tree.read("usr/share/coreos-assembler/image.json") == b'{"size": 4}'
    assert "usr/etc" not in tree.entries
    assert not any(path.startswith("sysroot/") for path in tree.entries)
    su, sg = tree.entries["usr/bin/su"], tree.entries["usr/bin/sg"]
    assert (su.mode, su.link_key) == (0o4755, sg.link_key)
    assert (tree.entries["usr/bin/link"].kind, tree.entries["usr/bin/link"].target) == (Kind.SYMLINK, "su")
    assert tree.entries["usr/share/old/2"].gid == 3_000_000
    assert tree.ostree
    assert tree.ostree.base.entries["usr/etc/conf"].xattrs == File().xattrs


@pytest.mark.parametrize(("inline", "old"), [(True, False), (False, True)])
def test_the_other_ways_to_keep_xattrs(tmp_path: Path, commit: Commit, inline: bool, old: bool) -> None:
    content = [
        each for name, file in commit.content.items() for each in content_members(name, file, inline, old)
    ]
    assert opened(tmp_path, commit, [commit.metadata_members(), content]).read("etc/conf") == b"conf"


def test_xattrs_need_not_be_sorted(tmp_path: Path) -> None:
    odd = File(b"odd", xattrs=(("user.z", b"1"), ("security.selinux", b"x\0"), ("user.a", b"2")))
    commit = Commit({**SYSTEM, "odd": odd})
    assert opened(tmp_path, commit, commit.layers()).entries["odd"].xattrs == odd.xattrs


def test_the_files_that_containers_see_in_these_layers_are_ignored(tmp_path: Path, commit: Commit) -> None:
    layers = commit.layers()
    layers[1].append(oci.file("etc/conf", b"other"))
    layers[1].append(oci.file("usr/bin/evil", b"evil", 0o4755))
    tree = opened(tmp_path, commit, layers)
    assert tree.read("etc/conf") == b"conf"
    assert "usr/bin/evil" not in tree.entries


def test_objects_are_read_once(tmp_path: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(tmp_path / "a", commit, commit.layers())
    (tmp_path / "b").mkdir()
    (tmp_path / "a/cache").rename(tmp_path / "b/cache")

    def again(*_: object) -> str:
        pytest.fail("an object was read again")

    monkeypatch.setattr("bootimg.layer.ostree.checksums.content_checksum", again)
    opened(tmp_path / "b", commit, commit.layers())


Change = Callable[[Commit, Members], object]


def replaced(layers: Members, path: str, *members: oci.Member) -> bool:
    for layer in layers:
        for number, (info, _) in enumerate(layer):
            if info.name == path:
                layer[number : number + 1] = members
                return True
    return False


def place(commit: Commit, content: bytes = b"conf") -> str:
    return object_path(next(name for name, file in commit.content.items() if file.data == content), "file")


def last(layers: Members) -> str:
    return layers[0][-1][0].name


def drop_metadata(commit: Commit, layers: Members, kind: str) -> None:
    name = next(name for name in reversed(commit.metadata) if name.endswith(kind))
    replaced(layers, object_path(*name.split(".")))


HOSTILE: dict[str, tuple[str, Change]] = {
    "content that is not its checksum's": (
        "layer-object-mismatch", lambda c, m: replaced(m, place(c), oci.file(place(c), b"evil", mtime=0))),
    "another owner than the checksum's": (
        "layer-object-mismatch", lambda c, m: replaced(m, place(c), oci.file(place(c), b"conf", uid=1))),
    "set-uid that the checksum has not": (
        "layer-object-mismatch", lambda c, m: replaced(m, place(c), oci.file(place(c), b"conf", 0o4644))),
    "a symlink in a file's place": (
        "layer-object-mismatch", lambda c, m: replaced(m, place(c), oci.symlink(place(c), "/etc/shadow"))),
    "a hardlink as an object": (
        "layer-encapsulation-invalid", lambda c, m: replaced(m, place(c), oci.hardlink(place(c), place(c)))),
    "no such file object": ("layer-encapsulation-invalid", lambda c, m: replaced(m, place(c))),
    "no such file object, nor its xattrs": (
        "layer-object-missing",
        lambda c, m: replaced(m, place(c)) and replaced(m, place(c) + "-xattrs-link")),
    "no such dirtree": ("layer-object-missing", lambda c, m: drop_metadata(c, m, ".dirtree")),
    "no such dirmeta": ("layer-object-missing", lambda c, m: drop_metadata(c, m, ".dirmeta")),
    "no commit": ("layer-encapsulation-invalid", lambda c, m: m[0].pop(0)),
    "commit not first": ("layer-encapsulation-invalid", lambda c, m: m[0].append(m[0].pop(0))),
    "two commits": ("layer-encapsulation-invalid", lambda c, m: m[0].append(m[0][0])),
    "metadata that is not its checksum's": (
        "layer-object-mismatch", lambda c, m: replaced(m, last(m), oci.file(last(m), b"x"))),
    "metadata in a later layer": (
        "layer-encapsulation-invalid", lambda c, m: m[1].insert(0, m[0].pop())),
    "layers swapped": ("layer-encapsulation-invalid", lambda c, m: m.reverse()),
    "an object twice": (
        "layer-encapsulation-invalid",
        lambda c, m: m[1].extend(content_members(*next(iter(sorted(c.content.items())))))),
    "xattrs without their object": ("layer-encapsulation-invalid", lambda c, m: m[1].pop()),
    "an object without xattrs": (
        "layer-encapsulation-invalid", lambda c, m: replaced(m, place(c) + "-xattrs-link")),
    "xattrs that are not their checksum's": (
        "layer-object-mismatch", lambda c, m: replaced(m, m[1][0][0].name, oci.file(m[1][0][0].name, b"x"))),
    "an object's name that is none": (
        "layer-encapsulation-invalid",
        lambda c, m: m[1].append(oci.file("sysroot/ostree/repo/objects/zz/x.file", b""))),
    "a path outside": (
        "layer-path-unsafe",
        lambda c, m: m[1].append(oci.file("sysroot/ostree/repo/../../../etc/passwd", b""))),
    "xattrs linked outside": (
        "layer-link-unsafe",
        lambda c, m: m[1].insert(0, oci.hardlink(place(c) + "-xattrs-link", "../../../etc/passwd"))),
}  # fmt: skip


@pytest.mark.parametrize(("id", "change"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_objects_are_refused(tmp_path: Path, commit: Commit, id: str, change: Change) -> None:
    layers = commit.layers()
    change(commit, layers)
    assert refused(tmp_path, commit, layers).id == id


def other_root(commit: Commit, data: bytes) -> tuple[Commit, Members]:
    """The commit with another dirtree as its root, which is in the first layer too."""
    tree, meta = commit.keep("dirtree", data), commit.keep("dirmeta", directory_metadata(0, 0, 0o755, ()))
    other = commit.rooted(tree, meta)
    return other, other.layers()


CHECKSUM = File(b"conf").checksum


@pytest.mark.parametrize(
    ("data", "id"),
    [
        (directory_tree([("..", CHECKSUM)], []), "layer-encapsulation-invalid"),
        (directory_tree([("a/b", CHECKSUM)], []), "layer-encapsulation-invalid"),
        (directory_tree([("", CHECKSUM)], []), "layer-encapsulation-invalid"),
        (directory_tree([("b", CHECKSUM), ("a", CHECKSUM)], []), "layer-encapsulation-invalid"),
        (directory_tree([("a", CHECKSUM), ("a", CHECKSUM)], []), "layer-encapsulation-invalid"),
        (directory_tree([("a" * 300, CHECKSUM)], []), "layer-path-unsafe"),
        (directory_tree([("a", CHECKSUM[:8])], []), "layer-object-missing"),
        (b"", "layer-encapsulation-invalid"),
        (b"\xff" * 40, "layer-encapsulation-invalid"),
        # Items that end where they like: as many copies of all of it as there are.
        (bytes(1000) + b"\xe8\3\0\0" * 1000 + b"\xe8\3", "layer-encapsulation-invalid"),
    ],
)
def test_a_malformed_directory_is_refused(tmp_path: Path, commit: Commit, data: bytes, id: str) -> None:
    assert refused(tmp_path, *other_root(commit, data)).id == id


def test_few_directories_that_unfold_to_many_are_refused(tmp_path: Path, commit: Commit) -> None:
    meta = commit.keep("dirmeta", directory_metadata(0, 0, 0o755, ()))
    tree = commit.keep("dirtree", directory_tree([], []))
    for _ in range(20):
        tree = commit.keep("dirtree", directory_tree([], [("a", tree, meta), ("b", tree, meta)]))
    other = commit.rooted(tree, meta)
    objects = LayerObjects(metadata=other.metadata, commit=other.checksum)
    with pytest.raises(BootimgError) as error:
        commit_tree([objects], Budget(Limits(names=5000)))
    assert error.value.id == "image-over-budget"


def test_a_commit_that_the_label_does_not_name_is_refused(tmp_path: Path, commit: Commit) -> None:
    other = Commit({**SYSTEM, "more": File(b"more")})
    error = refused(tmp_path, other, commit.layers())
    assert error.id == "layer-encapsulation-invalid"
    assert other.checksum in error.message
    assert commit.checksum in error.message


def test_labels_must_fit_the_layers(tmp_path: Path, commit: Commit) -> None:
    layers = commit.layers()
    labels = commit.labels([oci.tar(*members) for members in layers])
    for number, wrong in enumerate(
        ({"ostree.final-diffid": "sha256:" + "0" * 64}, {"ostree.final-diffid": ""})
    ):
        with pytest.raises(BootimgError) as error:
            opened(tmp_path / str(number), commit, layers, labels=labels | wrong)
        assert error.value.id == "layer-form-unsupported"
    del labels["ostree.final-diffid"]
    with pytest.raises(BootimgError) as error:
        opened(tmp_path / "none", commit, layers, labels=labels)
    assert error.value.id == "layer-form-unsupported"


def test_two_places_of_configuration_are_refused(tmp_path: Path) -> None:
    commit = Commit({**SYSTEM, "etc": {}})
    assert refused(tmp_path, commit, commit.layers()).id == "layer-etc-twice"


def test_a_layer_that_cannot_deploy_itself_says_so(tmp_path: Path) -> None:
    commit = Commit(SYSTEM)
    with pytest.raises(BootimgError) as error:
        require_programs(opened(tmp_path / "a", commit, commit.layers()))
    assert error.value.id == "deploy-program-missing"
    assert "/usr/bin/skopeo" in error.value.message
    able = Commit({**SYSTEM, "usr": {**usr(), "bin": {"skopeo": File(b"x")}, "libexec": {
        "libostree": {"ext": {"ostree-container": File(target="../../../bin/skopeo")}}}}})  # fmt: skip
    require_programs(opened(tmp_path / "b", able, able.layers()))


def usr() -> Folder:
    found = SYSTEM["usr"]
    assert not isinstance(found, File)
    return found

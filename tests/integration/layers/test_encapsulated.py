"""Encapsulated and derived images: what we import and deploy is what the real tool leaves (oracle.py)."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.layer.declared.facts import read_facts
from bootimg.layer.fetching.archive import write_layout_image
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.importing.importer import ImportedCommit, import_layer
from bootimg.layer.ostree.repoimage import write_repo_image
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tree.merged import Tree, open_tree
from bootimg.layer.tree.tooltree import write_tool_tree
from tests.integration.layouts import oracle
from tests.layer import stand_in, tools
from tests.support.layers import oci
from tests.support.layers.links import target_of

REPO_OBJECT = "sysroot/ostree/repo/objects/ab/" + "c" * 62 + ".file"
IMPORTER = {"ostree.importer.version": "0.15.3"}
CONTEXTS = """/.* system_u:object_r:default_t:s0
/usr(/.*)? system_u:object_r:usr_t:s0
/usr/bin(/.*)? -- system_u:object_r:bin_t:s0
/etc(/.*)? system_u:object_r:etc_t:s0
/usr/bin/xattrs -- <<none>>
"""
CAPABILITY = bytes([1, 0, 0, 2, 0, 0x20, 0, 0, 0xFF] + [0] * 11)
LONG = "l" * 200


@pytest.fixture(scope="module", autouse=True)
def needs() -> None:
    oracle.require()


def tiny_root(root: Path, prepare_root: str = "") -> Path:
    """A root of a few files with everything in it that is easily lost."""
    texts = {
        "usr/etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=tiny\n",
        "usr/etc/selinux/tiny/contexts/files/file_contexts": CONTEXTS,
        "usr/etc/selinux/tiny/policy/policy.33": "x",
        "usr/etc/conf": "conf",
        "usr/lib/os-release": 'NAME="Tiny"\nID=tiny\nVERSION_ID=1\nPRETTY_NAME="Tiny 1"\n',
        f"usr/lib/modules/{oci.KERNEL}/vmlinuz": "kernel",
        f"usr/lib/modules/{oci.KERNEL}/initramfs.img": "initramfs",
        "usr/lib/ostree/prepare-root.conf": prepare_root,
        "usr/share/coreos-assembler/image.json": '{"size": 4}',
        "usr/bin/su": "su",
        "usr/bin/ping": "ping",
        "usr/bin/xattrs": "xattrs",
        f"usr/share/{LONG}/{LONG}": "long",
        "usr/share/ümläut": "ü",
        "usr/share/private/a": "a",
        "usr/share/empty": "",
        "usr/share/old/1": "1",
        "usr/share/old/2": "2",
        "usr/share/file": "file",
        "usr/share/twin": "file",
        "usr/share/folder/in": "in",
        "usr/share/gone/in": "in",
    }
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    for name in ("boot", "dev", "proc", "run", "sys", "sysroot", "var"):
        (root / name).mkdir()
    links = {"bin": "usr/bin", "home": "var/home", "ostree": "sysroot/ostree", "tmp": "sysroot/tmp",
             "usr/etc/os-release": "../usr/lib/os-release", "usr/bin/denormal": "..//etc/x",
             "usr/share/longlink": LONG}  # fmt: skip
    for path, target in links.items():
        (root / path).symlink_to(target)
    (root / "usr/bin/su").chmod(0o4755)
    os.link(root / "usr/bin/su", root / "usr/bin/sg")
    os.setxattr(root / "usr/bin/ping", "security.capability", CAPABILITY)
    os.setxattr(root / "usr/bin/xattrs", "user.b", b"1")
    os.setxattr(root / "usr/bin/xattrs", "user.a", b"2")
    (root / "usr/share/large").write_bytes(os.urandom(300_000))
    os.chown(root / "usr/share/private", 5, 3_000_000)
    (root / "usr/share/private").chmod(0o1770)
    os.chown(root / "usr/share/private/a", 7, 8)
    return root


def image(folder: Path, *layers: bytes, prepare_root: str = "", chunks: int = 3) -> Path:
    root = tiny_root(folder / "root", prepare_root)
    oracle.commit(root, folder / "repo")
    return oracle.derive(oracle.encapsulate(folder / "repo", folder / "image", chunks), layers)


def imported(reference: Path, cache: Cache) -> tuple[Tree, ImportedCommit]:
    found = fetch(str(reference), arch=Arch.X86_64, cache=cache, events=Events())
    tree = open_tree(found, cache, Events())
    read_facts(found, tree)
    repo = cache.folder("repo")
    return tree, import_layer(found, tree, repo=repo, cache=cache, events=Events(), imgref=oracle.TARGET)


def compare(reference: Path, work: Path) -> tuple[Tree, ImportedCommit, oracle.Sysroot]:
    """Import, deploy with the real tool, and compare refs, commits and trees."""
    cache = Cache(work / "cache")
    tree, done = imported(reference, cache)
    repo = cache.folder("repo")
    assert "user" in (repo / "config").read_text()
    oracle.run("ostree", f"--repo={repo}", "fsck", "--all")
    kind = "oci-archive" if reference.is_file() else "oci"
    theirs = oracle.deploy(f"{kind}:{reference}", work / "sysroot")
    refs = theirs.refs
    assert done.refs.keys() == refs.keys()
    layers = [blob_ref for blob_ref in refs if "/blob/" in blob_ref]
    same = [ref for ref in layers if done.refs[ref] == refs[ref]]
    # A derived layer's commit has the time of its import.
    assert tree.ostree
    assert len(same) == len(tree.ostree.objects)
    assert len(layers) == len(same) + len(tree.ostree.derived)
    for ref in refs:
        assert oracle.tree_of(repo, ref) == oracle.tree_of(theirs.repo, ref), ref
        ours, other = oracle.commit_of(repo, ref), oracle.commit_of(theirs.repo, ref)
        if ref not in same and ref in layers:
            assert (ours["metadata"], ours["parent"]) == (other["metadata"], other["parent"]), ref
        else:
            assert ours == other, ref
    return tree, done, theirs


def deployed(work: Path, done: ImportedCommit) -> oracle.Sysroot:
    """A deployment of what we imported, by the words that the appliance runs."""
    image = work / "repo.squashfs"
    write_repo_image(work / "cache/repo", done, image)
    subprocess.run(["unsquashfs", "-q", "-n", "-d", work / "bare", image], check=True)
    sysroot = oracle.empty_sysroot(work / "ours")
    commits = sorted({done.checksum, *done.refs.values()})
    oracle.run("ostree", f"--repo={sysroot.repo}", "pull-local", "--disable-fsync", work / "bare", *commits)
    oracle.run("cp", "-R", f"{work}/bare/refs/heads/.", f"{sysroot.repo}/refs/heads/")
    origin = work / "origin"
    origin.write_text(f"[origin]\ncontainer-image-reference={oracle.TARGET}\n")
    oracle.run("ostree", "admin", "deploy", f"--sysroot={sysroot.path}", f"--os={oracle.STATEROOT}",
               f"--origin-file={origin}", "--karg-none", *(f"--karg-append={k}" for k in oracle.KARGS),
               done.checksum)  # fmt: skip
    return oracle.removable(sysroot)


def on_disk(root: Path) -> Mapping[str, object]:
    """Everything about every file that a deployment should have right."""
    found = {}
    for path in root.rglob("*"):
        status = path.lstat()
        content = target_of(path) if path.is_symlink() else ""
        if path.is_file() and not path.is_symlink():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        xattrs = {name: os.getxattr(path, name, follow_symlinks=False)
                  for name in os.listxattr(path, follow_symlinks=False)}  # fmt: skip
        mode, name = stat.filemode(status.st_mode), str(path.relative_to(root))
        found[name] = (mode, status.st_uid, status.st_gid, content, xattrs)
    return found


CHANGES = oci.tar(
    oci.folder("usr"),
    # Directories that exist keep their owner and mode.
    oci.folder("usr/share", 0o700, uid=9),
    oci.file("usr/share/file", b"changed", 0o600, uid=1),
    oci.file("usr/share/old/.wh.1"),
    oci.folder("usr/share/private", 0o711, uid=6),
    oci.file("usr/share/private/.wh..wh..opq"),
    oci.file("usr/share/private/b", b"b"),
    oci.file("usr/share/folder", b"now a file"),
    oci.symlink("usr/share/gone", "old"),
    oci.file("usr/share/longlink", b"no link any more"),
    # '-' is before '.', so its own whiteout hides it; 'z' is not.
    oci.file("usr/share/-minus", b"x"),
    oci.file("usr/share/.wh.-minus"),
    oci.file("usr/share/z", b"x"),
    oci.file("usr/share/.wh.z"),
    oci.file("usr/new/deep/x", b"x", uid=5, gid=6),
    oci.file("usr/bin/h1", b"h", 0o4755),
    oci.hardlink("usr/bin/h2", "usr/bin/h1"),
    oci.file("usr/bin/capable", b"c", xattrs={"security.capability": CAPABILITY}),
    oci.folder("etc"),
    oci.file("etc/conf", b"changed"),
    oci.file("etc/h1", b"h"),
    oci.hardlink("etc/h2", "etc/h1"),
    oci.file("etc/.wh.os-release"),
    oci.file("opt/x", b"x"),
    oci.symlink("srv", "var/srv"),
    oci.folder("run"),
    oci.file("run/lock/x", b"x"),
    oci.file("run/lock/y", b"y"),
    oci.folder("tmp/z"),
)
FOLDER = oci.tar(oci.folder("usr/share/twin", 0o750), oci.file("usr/share/twin/in", b"now a folder"))
AGAIN = oci.tar(
    oci.file("usr/new/deep/.wh.x"),
    oci.file("usr/share/gone", b"a file again"),
    oci.file("usr/bin/new", b"new"),
)
POLICY = oci.tar(
    oci.file("etc/selinux/tiny/contexts/files/file_contexts", CONTEXTS.replace("bin_t", "other_t").encode())
)
INSIDE = oci.tar(
    oci.file(REPO_OBJECT, b"changed within", 0o755),
    oci.hardlink("usr/bin/in1", REPO_OBJECT),
    oci.hardlink("usr/bin/in2", REPO_OBJECT),
    oci.hardlink("usr/bin/in3", REPO_OBJECT.replace("c", "d")),
)
EMPTY = oci.tar()
OVERLAY = "[composefs]\nenabled = yes\n"
DERIVED = {
    "empty": ([EMPTY], ""),
    "changes": ([CHANGES], ""),
    "changes upon changes": ([CHANGES, EMPTY, AGAIN], ""),
    "another policy": ([POLICY, AGAIN], ""),
    "files changed within the repository": ([INSIDE], ""),
    "a root that is an overlay": ([CHANGES], OVERLAY),
    "a transient root": ([CHANGES], "[root]\ntransient=true\n"),
}


@pytest.mark.parametrize("chunks", [0, 4])
def test_an_encapsulated_commit(tmp_path: Path, chunks: int) -> None:
    reference = image(tmp_path, chunks=chunks)
    tree, done, theirs = compare(reference, tmp_path)
    assert tree.ostree
    base = oracle.run("ostree", f"--repo={tmp_path}/repo", "rev-parse", "b").strip()
    assert base == tree.ostree.commit
    assert base in done.refs.values()
    assert base != done.checksum
    ours = deployed(tmp_path, done)
    assert (ours.origin, ours.entry) == (theirs.origin, theirs.entry)
    assert on_disk(ours.root) == on_disk(theirs.root)
    oracle.run("ostree", f"--repo={ours.repo}", "fsck", "--all")
    # The tool itself finds the image in what we made.
    listed = oracle.run(tools.program(tools.OSTREE_EXT), "container", "image", "list", f"--repo={ours.repo}")
    assert listed.split() == [oracle.TARGET.replace("ostree-unverified-registry:", "docker://")]


@pytest.mark.parametrize(("layers", "prepare_root"), DERIVED.values(), ids=DERIVED)
def test_derived_images(tmp_path: Path, layers: list[bytes], prepare_root: str) -> None:
    reference = image(tmp_path, *layers, prepare_root=prepare_root)
    _, done, theirs = compare(reference, tmp_path)
    ours = deployed(tmp_path, done)
    assert (ours.origin, ours.entry) == (theirs.origin, theirs.entry)
    assert on_disk(ours.root) == on_disk(theirs.root)


@pytest.mark.parametrize(
    ("layer", "since", "before"),
    [
        (oci.tar(oci.file("var/lib/x", b"x")), (2024, 3), "moves /var to /usr/share/factory"),
        (FOLDER, (2024, 5), "cannot put a directory in the place of a file"),
    ],
)
def test_rules_of_newer_versions(tmp_path: Path, layer: bytes, since: tuple[int, int], before: str) -> None:
    if oracle.libostree_version() < since:
        pytest.skip(f"ostree before {since[0]}.{since[1]} {before}")
    compare(image(tmp_path, layer), tmp_path)


def test_files_that_container_tools_leave_are_dropped(tmp_path: Path) -> None:
    """Newer versions of the real tool drop them; the one we compare with keeps them."""
    left = oci.tar(oci.file("etc/hostname"), oci.file("etc/resolv.conf"))
    tree, done = imported(image(tmp_path, left), Cache(tmp_path / "cache"))
    theirs = oracle.deploy(f"oci:{tmp_path}/image", tmp_path / "sysroot")
    merge = next(ref for ref in theirs.refs if "/image/" in ref)
    extra = {line.split()[-1] for line in oracle.tree_of(theirs.repo, merge)}
    extra -= {line.split()[-1] for line in oracle.tree_of(tmp_path / "cache/repo", done.checksum)}
    assert extra == {"/usr/etc/hostname", "/usr/etc/resolv.conf"}
    assert not tree.exists("etc/hostname")


def test_a_layer_seen_before_is_not_read_again(tmp_path: Path) -> None:
    reference = image(tmp_path)
    cache = Cache(tmp_path / "cache")
    _, first = imported(reference, cache)
    assert first.new_objects == first.objects
    oracle.derive(reference, [oci.tar(oci.file("usr/share/file", b"new"))])
    tree, second = imported(reference, cache)
    # The file; three dirtrees of the layer, three of the merged tree; dirmetas of the policy; two commits.
    assert second.new_objects < 12
    assert second.checksum != first.checksum
    _, third = imported(reference, cache)
    assert (third.checksum, third.new_objects) == (second.checksum, 0)
    assert tree.read("usr/share/file") == b"new"


@pytest.mark.skipif(not shutil.which("unsquashfs"), reason="unsquashfs is not installed")
def test_the_tool_tree_is_the_image_as_a_container_sees_it(tmp_path: Path) -> None:
    tree, _ = imported(image(tmp_path, CHANGES), Cache(tmp_path / "cache"))
    write_tool_tree(tree, tmp_path / "tools.squashfs")
    subprocess.run(
        ["unsquashfs", "-q", "-n", "-d", tmp_path / "out", tmp_path / "tools.squashfs"], check=True
    )
    out = tmp_path / "out"
    assert (out / "etc/conf").read_bytes() == b"changed"
    assert not (out / "usr/etc").exists()
    assert not any((out / "sysroot").iterdir())
    # Not the commit's symlink to /sysroot/tmp: something is mounted there.
    assert (out / "tmp").is_dir()
    assert not (out / "tmp").is_symlink()
    assert (out / "usr/bin/su").stat().st_ino == (out / "usr/bin/sg").stat().st_ino
    assert target_of(out / "usr/bin/denormal") == "..//etc/x"
    assert os.getxattr(out / "usr/bin/ping", "security.capability") == CAPABILITY


@pytest.mark.real
@pytest.mark.parametrize(
    ("form", "derived"), [pytest.param("encapsulated", 0, marks=pytest.mark.matrix), ("derived", 2)]
)
def test_the_stand_in_layer(tmp_path: Path, form: str, derived: int) -> None:
    tree, done, theirs = compare(stand_in(form=form), tmp_path)
    ours = deployed(tmp_path, done)
    assert (ours.origin, ours.entry) == (theirs.origin, theirs.entry)
    assert on_disk(ours.root) == on_disk(theirs.root)
    # An image of ten thousand files once had other ends of some of them (squashfs.py).
    oracle.run("ostree", f"--repo={ours.repo}", "fsck", "--all")
    assert tree.ostree
    assert len(tree.ostree.derived) == derived
    assert len(tree.ostree.objects) > 10


@pytest.mark.skipif(not shutil.which("unsquashfs"), reason="unsquashfs is not installed")
def test_the_layout_that_a_layer_deploys_itself_from(tmp_path: Path) -> None:
    reference = image(tmp_path, CHANGES)
    cache = Cache(tmp_path / "cache")
    found = fetch(str(reference), arch=Arch.X86_64, cache=cache, events=Events())
    write_layout_image(found, cache, tmp_path / "layout.squashfs")
    layout = tmp_path / "layout"
    subprocess.run(["unsquashfs", "-q", "-n", "-d", layout, tmp_path / "layout.squashfs"], check=True)
    theirs = oracle.deploy(f"oci:{reference}", tmp_path / "theirs")
    ours = oracle.deploy(f"oci:{layout}", tmp_path / "ours")
    merge = next(ref for ref in theirs.refs if "/image/" in ref)
    assert ours.refs.keys() == theirs.refs.keys()
    assert oracle.tree_of(ours.repo, merge) == oracle.tree_of(theirs.repo, merge)


def kept(entry: Entry) -> list[tuple[str, bytes]]:
    return [pair for pair in entry.xattrs if not pair[0].startswith(("security.selinux", "user."))]


@pytest.mark.real
def test_the_forms_are_one_tree(tmp_path: Path) -> None:
    """What differs between the plain and the encapsulated form, and by which rule."""
    cache = Cache(tmp_path / "cache")
    trees = []
    for form in ("chunked", "encapsulated"):
        found = fetch(str(stand_in(form=form)), arch=Arch.X86_64, cache=cache, events=Events())
        trees.append(open_tree(found, cache, Events()))
    plain, commit = trees
    assert plain.entries.keys() == commit.entries.keys()
    for path, entry in plain.entries.items():
        other = commit.entries[path]
        assert (entry.kind, entry.uid, entry.gid, entry.size, entry.target) == (
            other.kind, other.uid, other.gid, other.size, other.target
        ), path  # fmt: skip
        assert entry.mode == other.mode or entry.kind is Kind.SYMLINK, path
        # A commit has the policy's labels; tests/layer/commit.py leaves out user.* attributes.
        dropped = ("security.selinux", "user.")
        xattrs = [
            [pair for pair in each.xattrs if not pair[0].startswith(dropped)] for each in (entry, other)
        ]
        assert xattrs[0] == xattrs[1], path
        assert b"".join(plain.chunks(entry)) == b"".join(commit.chunks(other)), path

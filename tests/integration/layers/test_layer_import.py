"""The import against the real tools: ostree's fsck and ls, umoci's unpacking, skopeo, a registry."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.layer.fetching.archive import write_ociarchive
from bootimg.layer.fetching.fetch import RegistryOptions, fetch
from bootimg.layer.image.fetched import Image
from bootimg.layer.importing import repository
from bootimg.layer.importing.importer import ImportedCommit, import_layer, write_repo_image
from bootimg.layer.ostree.containertree import to_ostree
from bootimg.layer.ostree.libostree import interpreter
from bootimg.layer.ostree.objects import content_checksum, directory_metadata, file_header
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tree.merged import Tree, open_tree
from bootimg.layer.tree.tooltree import write_tool_tree
from tests.layer import stand_in
from tests.support.layers import oci
from tests.support.layers.links import target_of
from tests.support.registry import serving_registry

CONTEXTS = rb"""/.* system_u:object_r:default_t:s0
/usr(/.*)? system_u:object_r:usr_t:s0
/usr/bin(/.*)? -- system_u:object_r:bin_t:s0
/etc(/.*)? system_u:object_r:etc_t:s0
"""
POLICY = (
    oci.file("etc/selinux/config", b"SELINUX=enforcing\nSELINUXTYPE=tiny\n"),
    oci.file("etc/selinux/tiny/contexts/files/file_contexts", CONTEXTS),
    oci.file("etc/selinux/tiny/contexts/files/file_contexts.bin", b"not to be parsed"),
    oci.file("etc/selinux/tiny/policy/policy.33", b"not to be parsed either"),
)
CAPABILITY = bytes([1, 0, 0, 2, 0, 0x20, 0, 0, 0xFF] + [0] * 11)
BASE = oci.bootable(
    *POLICY,
    oci.file("usr/bin/su", b"su", mode=0o4755, xattrs={"security.selinux": b"wrong\0"}),
    oci.hardlink("usr/bin/sg", "usr/bin/su"),
    oci.file("usr/bin/ping", b"ping", xattrs={"security.capability": CAPABILITY}),
    oci.file("usr/share/old", b"old"),
    oci.folder("var/lib/x", 0o1777, uid=5, gid=3_000_000),
    oci.file("usr/empty", uid=7),
    oci.file("tmp/dropped", b"x"),
)
CHANGE = oci.tar(oci.file("usr/share/.wh.old"), oci.file("etc/new", b"n"), oci.file("etc/.wh..wh..none", b""))
needs_skopeo = pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")


@dataclass
class Import:
    """A cache with one repository."""

    cache: Cache

    @property
    def repo(self) -> Path:
        return self.cache.folder("repo") / "ostree"

    def tree(self, reference: object) -> tuple[Image, Tree]:
        image = fetch(str(reference), arch=Arch.X86_64, cache=self.cache, events=Events())
        return image, open_tree(image, self.cache, Events())

    def run(self, reference: object, imgref: str = "docker://h/a:b") -> tuple[Tree, ImportedCommit]:
        image, tree = self.tree(reference)
        done = import_layer(image, tree, repo=self.repo, cache=self.cache, events=Events(), imgref=imgref)
        return tree, done

    def ostree(self, *words: str) -> str:
        argv = ["ostree", f"--repo={self.repo}", *words]
        return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout


@pytest.fixture
def importing(tmp_path: Path) -> Import:
    return Import(Cache(tmp_path / "cache"))


def image_of(folder: Path, *layers: bytes) -> Path:
    layout = oci.Layout(folder)
    layout.add(layers)
    return layout.path


def listed(importing: Import, commit: str) -> dict[str, tuple[str, int, int, int, str, str, str]]:
    """What `ostree ls` prints: type, mode, uid, gid, checksums, xattrs and link target by path."""
    found = {}
    pattern = re.compile(r"^(.)0?(\d{4,5}) (\d+) (\d+) +(\d+) ((?:[0-9a-f]{64} ?)+)(?:\{ (.*) \} )?(/.*)$")
    for line in importing.ostree("ls", "-R", "-X", "-C", commit, "/").splitlines():
        match = pattern.match(line)
        assert match, line
        path, _, target = match[8].partition(" -> ")
        found[path[1:]] = (match[1], int(match[2], 8), int(match[3]), int(match[4]),
                           match[6].strip(), match[7] or "", target)  # fmt: skip
    return found


def compare(importing: Import, tree: Tree, commit: str) -> None:
    """Every path of the tree is in the commit as it should be, and nothing else."""
    expected = to_ostree(tree.entries.values(), tree.root).entries
    found = listed(importing, commit)
    assert found.keys() == expected.keys()
    letters = {Kind.FILE: "-", Kind.DIRECTORY: "d", Kind.SYMLINK: "l"}
    for path, entry in expected.items():
        kind, mode, uid, gid, sums, xattrs, target = found[path]
        assert (kind, uid, gid, target) == (letters[entry.kind], entry.uid, entry.gid, entry.target), path
        assert mode == (0o777 if entry.kind is Kind.SYMLINK else entry.mode), path
        label = re.search(r"'security.selinux', b'([^']*)'", xattrs)
        pairs = [pair for pair in entry.xattrs if pair[0] != "security.selinux"]
        if label:
            pairs.append(("security.selinux", label[1].encode() + b"\0"))
        # As libostree sorts them since 2025.2: older ones take any order.
        pairs.sort()
        if entry.kind is Kind.DIRECTORY:
            expected_sum = content_checksum(directory_metadata(entry.uid, entry.gid, entry.mode, pairs))
            assert sums.split()[1] == expected_sum, path
        else:
            type_bits = stat.S_IFLNK if entry.kind is Kind.SYMLINK else stat.S_IFREG
            header = file_header(entry.uid, entry.gid, type_bits | mode, entry.target, pairs)
            assert sums == content_checksum(header, tree.chunks(entry)), path


def test_the_commit_is_the_tree(importing: Import, tmp_path: Path) -> None:
    tree, done = importing.run(image_of(tmp_path / "i", BASE, CHANGE))
    compare(importing, tree, done.checksum)
    found = listed(importing, done.checksum)
    assert "usr/share/old" not in found
    assert "tmp/dropped" not in found
    assert found["usr/bin/su"][:2] == ("-", 0o4755)
    assert found["usr/bin/su"][4] == found["usr/bin/sg"][4]
    assert "security.capability" in found["usr/bin/ping"][5]
    labels = {path: found[path][5] for path in ("usr/bin/su", "usr/bin", "usr/etc/new", "var/lib/x")}
    assert {path: re.findall(r":(\w+_t):", text) for path, text in labels.items()} == {
        "usr/bin/su": ["bin_t"], "usr/bin": ["usr_t"], "usr/etc/new": ["etc_t"], "var/lib/x": ["default_t"],
    }  # fmt: skip
    importing.ostree("fsck", "--all")
    assert set(importing.ostree("refs").split()) == set(done.refs)
    assert "ostree/container/image/docker_3A__2F__2F_h/a_3A_b" in done.refs


def test_the_commits_metadata_is_ostree_exts(importing: Import, tmp_path: Path) -> None:
    reference = image_of(tmp_path / "i", BASE, CHANGE)
    image, _ = importing.tree(reference)
    _, done = importing.run(reference)

    def metadata(key: str) -> str:
        return importing.ostree("show", f"--print-metadata-key={key}", done.checksum).strip()

    assert metadata("ostree.manifest-digest") == f"'{image.digest}'"
    assert metadata("ostree.manifest") == f"'{image.manifest.decode()}'"
    assert metadata("ostree.container.image-config") == f"'{image.config.decode()}'"
    assert metadata("ostree.bootable") == "true"
    assert metadata("ostree.linux") == f"'{oci.KERNEL}'"
    assert metadata("version") == "'9.6.20261101-0'"
    # `ostree show` swaps the bytes of numbers, which ostree-rs-ext writes as the machine has them.
    filtered = f"'{image.layers[0].digest}': {{'tmp': uint32 {1 << 24}}}"
    assert filtered in metadata("ostree.tar-filtered")
    assert "2026-11-01 00:00:00 +0000" in importing.ostree("show", done.checksum)


def test_a_second_import_writes_nothing_and_the_same_commit(importing: Import, tmp_path: Path) -> None:
    reference = image_of(tmp_path / "i", BASE, CHANGE)
    _, first = importing.run(reference)
    _, second = importing.run(reference, imgref="oci-archive:/x")
    assert (second.checksum, second.new_objects) == (first.checksum, 0)
    assert "ostree/container/image/oci-archive_3A__2F_x" in importing.ostree("refs")
    _, elsewhere = Import(Cache(tmp_path / "other")).run(reference)
    assert (elsewhere.checksum, elsewhere.refs) == (first.checksum, first.refs)


def test_a_change_writes_only_what_changed(
    importing: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    importing.run(image_of(tmp_path / "a", BASE))
    read: list[str] = []
    chunks = Tree.chunks

    def watched(self: Tree, entry: Entry) -> Iterator[bytes]:
        read.append(entry.path)
        yield from chunks(self, entry)

    monkeypatch.setattr(Tree, "chunks", watched)
    _, done = importing.run(image_of(tmp_path / "b", BASE, oci.tar(oci.file("usr/share/new", b"new"))))
    assert [path for path in read if path.startswith("usr/bin")] == []
    assert "usr/share/new" in read
    # The file; the root's, /usr's and /usr/share's dirtrees, in the tree and in the layer; two commits.
    assert done.new_objects == 1 + 3 + 3 + 2
    importing.ostree("fsck", "--all")


def test_an_object_that_went_missing_is_written_again(importing: Import, tmp_path: Path) -> None:
    reference = image_of(tmp_path / "i", BASE)
    _, first = importing.run(reference)
    victim = next(name for name in first.files if name.endswith(".file"))
    (importing.repo / "objects" / victim).unlink()
    _, second = importing.run(reference)
    assert (second.checksum, second.new_objects) == (first.checksum, 1)
    importing.ostree("fsck", "--all")


def test_archive_mode_where_there_are_no_xattrs(
    importing: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "wanted_mode", lambda folder: "archive")
    reference = image_of(tmp_path / "i", BASE, CHANGE)
    tree, done = importing.run(reference)
    assert "mode=archive" in (importing.repo / "config").read_text()
    compare(importing, tree, done.checksum)
    importing.ostree("fsck", "--all")
    assert importing.run(reference)[1].new_objects == 0
    write_repo_image(importing.repo, done, tmp_path / "repo.squashfs")


def test_two_importers_at_once(importing: Import, tmp_path: Path) -> None:
    for name in "ab":
        image_of(tmp_path / name, BASE, oci.tar(oci.file(f"usr/{name}", os.urandom(200_000))))
    code = (
        "import sys; from pathlib import Path; from bootimg.cache import Cache\n"
        "from tests.integration.layers.test_layer_import import Import\n"
        "print(Import(Cache(Path(sys.argv[1]))).run(sys.argv[2])[1].checksum)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, importing.cache.root, tmp_path / name], text=True,
                         stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) for name in "ab"
    ]  # fmt: skip
    sums = [child.communicate(timeout=120)[0].strip() for child in running]
    assert [child.returncode for child in running] == [0, 0]
    assert len(set(sums)) == 2
    importing.ostree("fsck", "--all")


def test_a_foreign_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as error:
        interpreter([Path(sys.executable)] if not has_gi(sys.executable) else [])
    assert error.value.id == "libostree-missing"


def has_gi(python: str) -> bool:
    return subprocess.run([python, "-c", "import gi"], stderr=subprocess.DEVNULL).returncode == 0


@pytest.mark.skipif(not shutil.which("unsquashfs"), reason="unsquashfs is not installed")
def test_the_images_hold_the_tree_and_the_repository(importing: Import, tmp_path: Path) -> None:
    tree, done = importing.run(image_of(tmp_path / "i", BASE, CHANGE))
    write_tool_tree(tree, tmp_path / "tree.squashfs")
    write_repo_image(importing.repo, done, tmp_path / "repo.squashfs")

    def listing(name: str) -> list[str]:
        argv: list[str | Path] = ["unsquashfs", "-lln", tmp_path / name]
        done = subprocess.run(argv, check=True, stdout=subprocess.PIPE)
        return done.stdout.decode().splitlines()

    lines = [line for line in listing("tree.squashfs") if line.startswith(("-", "d", "l"))]
    found = {line.split(" squashfs-root", 1)[1].split(" -> ")[0] for line in lines}
    assert found == {"", *(f"/{path}" for path in tree.entries)}
    assert any(re.match(r"-rwsr-xr-x 0/0 .*/usr/bin/su$", line) for line in lines)
    objects = [line for line in listing("repo.squashfs") if "/objects/" in line and not line.startswith("d")]
    assert len(objects) == done.objects
    if os.getuid() == 0:
        subprocess.run(
            ["unsquashfs", "-q", "-n", "-d", tmp_path / "out", tmp_path / "repo.squashfs"], check=True
        )
        subprocess.run(
            ["ostree", "fsck", "--all", f"--repo={tmp_path}/out"], check=True, stdout=subprocess.PIPE
        )


# Three layers of random members; umoci, which is another program, must see the same tree.
NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
MEMBERS = st.one_of(
    st.builds(oci.file, PATHS, st.binary(max_size=8), st.sampled_from([0o644, 0o4755])),
    st.builds(oci.folder, PATHS, st.sampled_from([0o755, 0o700])),
    st.builds(oci.symlink, PATHS, PATHS.map("/".__add__)),
    st.builds(oci.hardlink, PATHS, PATHS),
    st.builds(lambda path: oci.file(re.sub(r"([^/]+)$", r".wh.\1", path)), PATHS),
    st.builds(lambda path: oci.file(f"{path}/.wh..wh..opq"), PATHS),
)


def consistent(members: list[oci.Member]) -> list[oci.Member]:
    """Leave out what the specification leaves open: a layer naming a path twice or hiding its own."""
    seen: set[str] = set()
    kept = []
    for info, data in members:
        plain = info.name.replace(".wh..wh..opq", "").replace(".wh.", "").rstrip("/")
        if not any(plain == other or plain.startswith(other + "/") or other.startswith(plain + "/")
                   for other in seen):  # fmt: skip
            kept.append((info, data))
        seen.add(plain)
    return kept


LAYERS = st.lists(st.lists(MEMBERS, max_size=6).map(consistent), min_size=1, max_size=3)


@pytest.mark.skipif(not shutil.which("umoci"), reason="umoci is not installed")
@pytest.mark.skipif(os.getuid() != 0, reason="umoci unpacks owners as root only")
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layers=LAYERS)
def test_umoci_unpacks_the_same_tree(layers: list[list[oci.Member]], tmp_path_factory: Any) -> None:  # noqa: ANN401
    folder = tmp_path_factory.mktemp("umoci")
    layout = oci.Layout(folder / "i")
    layout.add([oci.tar(*members) for members in layers], tag="t")
    try:
        _, tree = Import(Cache(folder / "cache")).tree(layout.path)
    except BootimgError as error:
        assert error.id in ("layer-path-unsafe", "layer-link-unsafe")
        return
    argv = ["umoci", "raw", "unpack", "--image", f"{layout.path}:t", folder / "out"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    UNPACKED.append(done.returncode == 0)
    if done.returncode == 0:
        assert seen_on_disk(folder / "out") == seen_in_tree(tree)
    shutil.rmtree(folder)


UNPACKED: list[bool] = []


@pytest.mark.skipif(not shutil.which("umoci"), reason="umoci is not installed")
def test_umoci_did_unpack_most_of_them() -> None:
    if UNPACKED:
        assert sum(UNPACKED) > len(UNPACKED) // 2


Seen = dict[str, tuple[str, int, str | bytes, frozenset[str]]]


def seen_on_disk(root: Path) -> Seen:
    inodes: dict[int, set[str]] = {}
    paths = list(root.rglob("*"))
    for path in paths:
        inodes.setdefault(path.lstat().st_ino, set()).add(str(path.relative_to(root)))
    found: Seen = {}
    for path in paths:
        status = path.lstat()
        links = frozenset(inodes[status.st_ino])
        if path.is_symlink():
            found[str(path.relative_to(root))] = ("symlink", 0, target_of(path), links)
        elif path.is_dir():
            found[str(path.relative_to(root))] = ("directory", stat.S_IMODE(status.st_mode), "", links)
        else:
            found[str(path.relative_to(root))] = (
                "file",
                stat.S_IMODE(status.st_mode),
                path.read_bytes(),
                links,
            )
    return found


def seen_in_tree(tree: Tree) -> Seen:
    keys: dict[tuple[int, int], set[str]] = {}
    for entry in tree.entries.values():
        if entry.kind is not Kind.DIRECTORY:
            keys.setdefault(entry.link_key, set()).add(entry.path)
    found: Seen = {}
    for path, entry in tree.entries.items():
        links = frozenset({path} if entry.kind is Kind.DIRECTORY else keys[entry.link_key])
        content = b"".join(tree.chunks(entry)) if entry.kind is Kind.FILE else entry.target
        mode = 0 if entry.kind is Kind.SYMLINK else entry.mode
        found[path] = (entry.kind.value, mode, content, links)
    return found


PLAIN_HTTP = RegistryOptions(tls_verify=False)


@needs_skopeo
def test_a_registry_keeps_the_digest_and_sends_blobs_once(registry: str, tmp_path: Path) -> None:
    layout = oci.Layout(tmp_path / "i")
    images = {arch: layout.image([BASE, CHANGE], arch=arch) for arch in ("amd64", "arm64")}
    layout.index(images, tag="t")
    subprocess.run(["skopeo", "copy", "-q", "--all", "--preserve-digests", "--dest-tls-verify=false",
                    f"oci:{layout.path}:t", f"docker://{registry}/a/b:t"], check=True)  # fmt: skip
    cache = Cache(tmp_path / "cache")

    def get(name: str, arch: Arch = Arch.X86_64) -> Image:
        return fetch(name, arch=arch, cache=cache, events=Events(), registry=PLAIN_HTTP)

    image = get(f"{registry}/a/b:t")
    assert image.digest == images["amd64"]["digest"]
    assert get(f"docker://{registry}/a/b:t", Arch.AARCH64).digest == images["arm64"]["digest"]
    # The registry loses its layers: nothing that is here is asked for again.
    for blob in image.layers:
        shutil.rmtree(next((tmp_path / "registry").rglob(f"blobs/sha256/*/{blob.digest[7:]}")))
    assert get(f"docker://{registry}/a/b@{image.digest}").layers == image.layers
    open_tree(image, cache, Events())
    for name, arch, id in (
        (f"{registry}/a/b:none", Arch.X86_64, "layer-not-found"),
        (f"{registry}/a/none", Arch.X86_64, "layer-not-found"),
        (f"{registry}/a/b:t", Arch.S390X, "layer-arch-mismatch"),
        ("127.0.0.1:1/a", Arch.X86_64, "registry-unreachable"),
    ):
        with pytest.raises(BootimgError) as error:
            get(name, arch)
        assert error.value.id == id


# The password is `a word`.
HTPASSWD = "us:$2b$04$9EYDaTruWM9U9fcBT944GuZYNdknBAj0XHQoa2qeCE3T9HDNQgVZm\n"
CERTIFICATE = ("-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost")


@needs_skopeo
@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_a_registry_with_tls_and_credentials(tmp_path: Path) -> None:
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    key, certificate = tmp_path / "key.pem", certificates / "ca.crt"
    argv = ["openssl", "req", *CERTIFICATE, "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*argv, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    tls = f", tls: {{certificate: {certificate}, key: {key}}}"
    auth = f"auth: {{htpasswd: {{realm: here, path: {tmp_path}/htpasswd}}}}\n"
    path, authfile = image_of(tmp_path / "i", BASE), tmp_path / "auth.json"

    def get(name: str, **options: Any) -> Image:  # noqa: ANN401
        cache, registry = Cache(tmp_path / "cache"), RegistryOptions(**options)
        return fetch(name, arch=Arch.X86_64, cache=cache, events=Events(), registry=registry)

    with serving_registry(tmp_path, tls, auth) as address:
        login = base64.b64encode(b"us:a word").decode()
        authfile.write_text(json.dumps({"auths": {address: {"auth": login}}}))
        argv = ["skopeo", "copy", "-q", f"--dest-cert-dir={certificates}", f"--authfile={authfile}"]
        subprocess.run([*argv, f"oci:{path}", f"docker://{address}/a/b:t"], check=True)
        name = f"{address}/a/b:t"
        image = get(name, authfile=authfile, cert_dir=certificates)
        assert open_tree(image, Cache(tmp_path / "cache"), Events()).read("usr/bin/su") == b"su"
        wrong = tmp_path / "wrong.json"
        wrong.write_text(json.dumps({"auths": {address: {"auth": base64.b64encode(b"us:no").decode()}}}))
        for options, id in (
            ({"authfile": wrong, "cert_dir": certificates}, "layer-unauthorized"),
            ({"authfile": authfile}, "registry-untrusted"),
        ):
            with pytest.raises(BootimgError) as error:
                get(name, **options)
            assert error.value.id == id
            assert login not in str(error.value)


@needs_skopeo
def test_a_registry_in_docker_format(registry: str, tmp_path: Path) -> None:
    path = image_of(tmp_path / "i", BASE)
    subprocess.run(["skopeo", "copy", "-q", "--format", "v2s2", "--dest-tls-verify=false", f"oci:{path}",
                    f"docker://{registry}/a/b:t"], check=True)  # fmt: skip
    argv = [
        "skopeo",
        "inspect",
        "--tls-verify=false",
        "--format",
        "{{.Digest}}",
        f"docker://{registry}/a/b:t",
    ]
    digest = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    cache = Cache(tmp_path / "cache")
    image = fetch(f"{registry}/a/b:t", arch=Arch.X86_64, cache=cache, events=Events(), registry=PLAIN_HTTP)
    assert image.digest == digest
    assert open_tree(image, cache, Events()).read("usr/bin/su") == b"su"


@needs_skopeo
@pytest.mark.skipif(os.getuid() != 0, reason="containers-storage without user namespaces needs root")
def test_containers_storage(tmp_path: Path) -> None:
    path = image_of(tmp_path / "i", BASE, CHANGE)
    name = f"containers-storage:[vfs@{tmp_path}/root+{tmp_path}/run]localhost/a:t"
    subprocess.run(["skopeo", "copy", "-q", f"oci:{path}", name], check=True)
    cache = Cache(tmp_path / "cache")
    image = fetch(name, arch=Arch.X86_64, cache=cache, events=Events())
    assert open_tree(image, cache, Events()).read("usr/bin/su") == b"su"
    again = fetch(name, arch=Arch.X86_64, cache=cache, events=Events())
    assert again.digest == image.digest


@needs_skopeo
def test_skopeo_reads_our_archive(importing: Import, tmp_path: Path) -> None:
    image, _ = importing.tree(image_of(tmp_path / "i", BASE, CHANGE))
    write_ociarchive(image, importing.cache, tmp_path / "a")
    argv = ["skopeo", "inspect", "--format", "{{.Digest}}", f"oci-archive:{tmp_path}/a"]
    assert subprocess.run(argv, check=True, text=True, stdout=subprocess.PIPE).stdout.strip() == image.digest


@pytest.mark.real
def test_the_stand_in_layer(importing: Import) -> None:
    tree, done = importing.run(stand_in())
    assert done.new_objects == done.objects > 10_000
    importing.ostree("fsck", "--all")
    compare(importing, tree, done.checksum)

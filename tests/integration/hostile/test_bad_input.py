"""What goes wrong, through the command line: each its own id and exit code, and nothing half-written."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zstandard

from bootimg.builds.locks import build_lock
from tests.integration.conftest import Built
from tests.support.layers import oci

ROOT = Path(__file__).parents[3]
ID = oci.LABELS["org.opencontainers.image.version"]
FAILED, USAGE, ENVIRONMENT = 1, 2, 3
MIB, GIB = 1 << 20, 1 << 30
BOOKKEEPING = {
    ".bootimg-journal.ndjson", ".build.lock", "bootimg.json", "meta.json", ".meta.json.flock",
}  # fmt: skip
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts things on this machine: needs root")
PYTHON_MODULES = Path("/usr/lib/python3/dist-packages")
TCG = ("--accel", "tcg")
APPLIANCE = (*TCG, "--deploy", "appliance")


@dataclass(frozen=True)
class Failed:
    """How a run ended; `error` is the diagnostic, from its first line to its last."""

    code: int
    stderr: str
    error: str


@dataclass(frozen=True)
class Place:
    """A cache, a tree of builds and temporary files of one test's own."""

    root: Path

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def builds(self) -> Path:
        return self.root / "builds"

    @property
    def build(self) -> Path:
        return self.builds / ID / "x86_64"

    def image(self, *layers: bytes, **fields: Any) -> Path:  # noqa: ANN401
        layout = oci.Layout(self.root / "image")
        layout.add(layers, **fields)
        return layout.path

    def argv(self, reference: str | Path, *options: str) -> list[str]:
        places = ["--cache", str(self.cache), "-o", str(self.builds)]
        return [sys.executable, "-m", "bootimg", "build", str(reference), *places, *options]

    def fails(
        self, id: str, code: int, reference: str | Path, *options: str, before: str = "", **environment: str
    ) -> Failed:
        """Build and find that it failed so; `before` is shell that runs first, with mounts of its own."""
        temporary = self.root / "tmp"
        temporary.mkdir(exist_ok=True)
        argv = self.argv(reference, *options)
        if before:
            argv = ["unshare", "-m", "sh", "-ec", f"{before}\nexec {shlex.join(argv)}"]
        env = {**os.environ, "TMPDIR": str(temporary), **environment}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=1800)
        found = Failed(done.returncode, done.stderr, diagnostic(done.stderr))
        assert found.error.startswith(f"error: {id}\n"), done.stderr
        assert found.code == code
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        assert f"  docs: docs/errors/{id}.md" in found.error.splitlines()
        assert (ROOT / f"docs/errors/{id}.md").is_file()
        assert not list(temporary.iterdir())
        self.holds_nothing_partial()
        return found

    def holds_nothing_partial(self) -> None:
        found = [
            path for top in (self.cache, self.builds) for path in top.rglob("*") if "partial" in path.name
        ]
        assert not found
        assert not [*self.cache.glob("tmp/*"), *self.build.glob(".scratch/*")]

    def has_no_build(self) -> None:
        """The build's folder holds bookkeeping only, where there is one."""
        assert {path.name for path in self.build.glob("*")} <= BOOKKEEPING
        assert not (self.builds / "builds.json").exists()
        assert not (self.builds / "latest").exists()


def diagnostic(stderr: str) -> str:
    """The error as pip writes one: its id, then indented lines to the end."""
    match = re.search(r"^error: [a-z0-9-]+\n(?:  .*\n)+\Z", stderr, re.MULTILINE)
    assert match, stderr
    return match[0]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# The image


def test_image_without_the_labels(place: Place) -> None:
    found = place.fails("layer-not-bootable", USAGE, place.image(oci.bootable(), labels={}))
    assert "containers.bootc" in found.error
    assert "hint: " in found.error
    assert not place.builds.exists()


def test_other_architecture(place: Place) -> None:
    words = ["--arch", "aarch64", "--until", "archive"]
    found = place.fails("layer-arch-mismatch", USAGE, place.image(oci.bootable()), *words)
    assert "amd64" in found.error
    assert "aarch64" in found.error
    assert not place.builds.exists()


def test_a_layer_of_s390x_without_zipl(place: Place) -> None:
    image = place.image(oci.bootable(), arch="s390x")
    found = place.fails("bootloader-missing", USAGE, image, "--arch", "s390x")
    assert "stage3.bin" in found.error
    place.has_no_build()


def test_a_layer_of_s390x_with_another_zipl(place: Place) -> None:
    stage3 = oci.file("usr/lib/s390-tools/stage3.bin", b"another")
    image = place.image(oci.bootable(stage3), arch="s390x")
    found = place.fails("zipl-stage3-unknown", USAGE, image, "--arch", "s390x")
    assert "it has 7 bytes" in found.error
    place.has_no_build()


def test_unknown_architecture(place: Place) -> None:
    place.fails("arch-unknown", USAGE, place.image(oci.bootable()), "--arch", "vax")


def test_architecture_that_an_index_lacks(place: Place) -> None:
    layout = oci.Layout(place.root / "image")
    layout.index({"amd64": layout.image([oci.bootable()])})
    words = ["--arch", "s390x", "--until", "archive"]
    found = place.fails("layer-arch-mismatch", USAGE, layout.path, *words)
    assert "s390x" in found.error


def test_no_kernel(place: Place) -> None:
    place.fails("kernel-missing", FAILED, place.image(oci.bootable(kernels=())))
    place.has_no_build()


def test_two_kernels(place: Place) -> None:
    kernels = (oci.KERNEL, "6.12.0-2.el9.x86_64")
    found = place.fails("kernel-ambiguous", FAILED, place.image(oci.bootable(kernels=kernels)))
    assert all(kernel in found.error for kernel in kernels)
    place.has_no_build()


def test_nothing_at_the_path(place: Place) -> None:
    place.fails("layer-not-found", USAGE, f"oci-archive:{place.root}/nothing.ociarchive")


@pytest.mark.parametrize("keep", [0.3, 0.97])
def test_truncated_archive(place: Place, keep: float) -> None:
    layout = oci.Layout(place.root / "image")
    layout.add([oci.bootable(oci.file("usr/share/noise", os.urandom(MIB)))])
    archive = layout.archive(place.root / "layer.ociarchive")
    os.truncate(archive, int(archive.stat().st_size * keep))
    place.fails("layer-truncated", FAILED, archive)
    assert not place.builds.exists()


def test_content_of_another_digest(place: Place) -> None:
    image = place.image(oci.bootable())
    blob = max((image / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)
    found = place.fails("layer-digest-mismatch", FAILED, image)
    assert blob.name in found.error
    assert not list(place.cache.glob(f"blobs/sha256/{blob.name}"))


@pytest.mark.parametrize(
    ("id", "reference"),
    [
        ("layer-reference-invalid", "quay.io/Upper/os"),
        ("layer-reference-invalid", "quay.io/os:"),
        ("layer-reference-invalid", "docker://quay.io/os:tag@sha256:abc"),
        ("layer-reference-invalid", "quay.io:99999/os"),
        ("layer-reference-invalid", "x" * 5000),
        ("layer-reference-invalid", os.fsdecode(b"\xff\xfe")),
        ("layer-reference-invalid", "containers-storage:Upper"),
        ("layer-not-found", "containers-storage:localhost/none:t@sha256:" + "0" * 64),
    ],
)
def test_reference_that_names_nothing(place: Place, id: str, reference: str) -> None:
    place.fails(id, USAGE, reference)
    assert not place.builds.exists()


@pytest.mark.parametrize(
    ("text", "id"),
    [("{", "registry-credentials-invalid"), ('{"auths": 3}', "registry-credentials-invalid")],
)
def test_credentials_that_are_none(place: Place, text: str, id: str) -> None:
    (place.root / "auth.json").write_text(text)
    place.fails(id, USAGE, "docker://localhost:1/os", "--authfile", f"{place.root}/auth.json")


def test_files_in_the_place_of_folders(place: Place) -> None:
    image, file = place.image(oci.bootable()), place.root / "file"
    file.touch()
    for options in (["-o", f"{file}/x"], ["--cache", f"{file}/x"], ["--cert-dir", str(file)],
                    ["--authfile", str(place.root)]):  # fmt: skip
        place.fails("command-line-invalid", USAGE, image, *options)
    found = place.fails("folder-not-writable", ENVIRONMENT, image, TMPDIR=str(file))
    assert str(file) in found.error


def test_size_that_no_file_has(place: Place) -> None:
    place.fails("size-malformed", USAGE, place.image(oci.bootable()), "--size", "9999999999T")


@pytest.mark.parametrize("how", ["bzip2", "xz"])
def test_layer_of_another_compression(place: Place, how: str) -> None:
    layout = oci.Layout(place.root / "image")
    layout.add([oci.bootable()], compression=[how])
    place.fails("layer-compression-unsupported", FAILED, layout.path)


def test_cache_of_everybody(place: Place) -> None:
    place.cache.mkdir()
    place.cache.chmod(0o777)
    found = place.fails("cache-untrusted", ENVIRONMENT, place.image(oci.bootable()))
    assert f"chmod -R o-w '{place.cache}'" in found.error or "chmod -R go-w" in found.error


def test_image_json_missing(place: Place) -> None:
    layer = oci.bootable(oci.file("usr/share/coreos-assembler/.wh.image.json"))
    gone = oci.tar(oci.file("usr/share/coreos-assembler/.wh.image.json"))
    place.fails("image-json-missing", FAILED, place.image(layer, gone))


@pytest.mark.parametrize(
    "text", [b"size: 10", b"[]", b'{"size": "10"}', b'{"size": -1}', b'{"extra-kargs": "quiet"}', b"[" * 9999]
)
def test_image_json_malformed(place: Place, text: bytes) -> None:
    place.fails("image-json-malformed", FAILED, place.image(oci.bootable(image_json=text)))


def test_layer_that_bootc_installs(place: Place) -> None:
    text = b'{"size": 4, "bootc-install-to-fs": true}'
    place.fails("install-path-unsupported", FAILED, place.image(oci.bootable(image_json=text)))


def test_layer_that_binds_images(place: Place) -> None:
    link = oci.symlink("usr/lib/bootc/bound-images.d/app.image", "/usr/share/containers/systemd/app.image")
    found = place.fails("bound-images-unsupported", USAGE, place.image(oci.bootable(link)))
    assert "/usr/lib/bootc/bound-images.d/app.image" in found.error
    assert not place.build.exists()


def test_disk_too_small(place: Place) -> None:
    found = place.fails("disk-too-small", USAGE, place.image(oci.bootable()), "--size", "500M")
    assert "--size" in found.error
    assert not place.build.exists()


def test_disk_too_small_by_image_json(place: Place) -> None:
    layers = [oci.bootable(image_json=b'{"size": 1}'), oci.tar(oci.file("usr/big", bytes(500 * MIB)))]
    found = place.fails("disk-too-small", USAGE, place.image(*layers, compression=["zstd", "zstd"]))
    assert "image.json" in found.error


# Hostile layers


@pytest.mark.parametrize(
    ("id", "member"),
    [
        ("layer-path-unsafe", oci.file("/etc/cron.d/evil", b"x")),
        ("layer-path-unsafe", oci.file("usr/../../../evil", b"x")),
        ("layer-link-unsafe", oci.hardlink("usr/link", "../../../../etc/shadow")),
        ("layer-link-unsafe", oci.hardlink("usr/link", "nothing/there")),
        ("layer-device-node", oci.member("usr/sda", tarfile.BLKTYPE, devmajor=8, devminor=0)),
        ("layer-device-node", oci.member("etc/mem", tarfile.CHRTYPE, devmajor=1, devminor=1)),
        ("layer-device-node", oci.member("var/fifo", tarfile.FIFOTYPE)),
        ("layer-sparse", oci.member("usr/hole", tarfile.GNUTYPE_SPARSE)),
    ],
    ids=["absolute", "dotdot", "link-out", "link-to-nothing", "block", "character", "fifo", "sparse"],
)
def test_hostile_member(place: Place, id: str, member: oci.Member) -> None:
    place.fails(id, FAILED, place.image(oci.bootable(member)))
    place.has_no_build()
    assert not list(place.root.rglob("evil"))


def test_file_through_a_symlink_out_of_the_tree(place: Place) -> None:
    """The symlink leads to a folder of this machine's, which is none of the tree's."""
    layers = [
        oci.bootable(oci.symlink("usr/out", str(place.root))),
        oci.tar(oci.file("usr/out/evil", b"x")),
    ]
    place.fails("layer-path-unsafe", FAILED, place.image(*layers))
    assert not (place.root / "evil").exists()


def huge_image(place: Place, chunks: Iterator[bytes] | Sequence[bytes]) -> Path:
    """An image with one more layer, given as the frames of its zstd stream."""
    layout = oci.Layout(place.root / "image")
    document = layout.add([oci.bootable(), b""], compression=["zstd", "zstd"])
    manifest = (layout.blobs / document["digest"].partition(":")[2]).read_text()
    empty = oci.compress(b"", "zstd")
    blob = b"".join(chunks)
    manifest = manifest.replace(layout.blob(empty), layout.blob(blob))
    manifest = re.sub(rf'("size": ){len(empty)}\b', rf"\g<1>{len(blob)}", manifest)
    digest = layout.blob(manifest.encode())
    layout._manifests.clear()
    layout.list({**document, "digest": digest, "size": len(manifest)})
    return layout.path


def frames(header: bytes, body: bytes, times: int) -> Iterator[bytes]:
    compressor = zstandard.ZstdCompressor()
    yield compressor.compress(header)
    again = compressor.compress(body)
    for _ in range(times):
        yield again


def test_ten_gibibytes_of_zeros(place: Place) -> None:
    info, _ = oci.file("usr/bomb")
    info.size = 10 * GIB
    header = info.tobuf(tarfile.GNU_FORMAT)
    image = huge_image(place, frames(header, bytes(64 * MIB), 160))
    assert sum(path.stat().st_size for path in image.rglob("*") if path.is_file()) < 4 * MIB
    place.fails("image-over-budget", FAILED, image)
    assert sum(path.stat().st_size for path in place.cache.rglob("*") if path.is_file()) < 8 * MIB


def test_ten_gibibytes_of_hole(place: Place) -> None:
    """The same as old GNU tar's sparse format has it: one header, no content."""
    info, _ = oci.member("usr/bomb", tarfile.GNUTYPE_SPARSE)
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"%011o\0" % (10 * GIB)
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:]))
    place.fails("layer-sparse", FAILED, place.image(oci.bootable(), bytes(header) + bytes(1024)))


def test_two_million_entries(place: Place) -> None:
    block = io.BytesIO()
    for number in range(2000):
        info, _ = oci.file(f"usr/many/{number:04}")
        block.write(info.tobuf(tarfile.USTAR_FORMAT))
    image = place.image(oci.bootable(), block.getvalue() * 1000 + bytes(1024), compression=["zstd", "zstd"])
    place.fails("image-over-budget", FAILED, image)
    place.has_no_build()


# The machine


def programs(folder: Path, *without: str, **instead: str) -> str:
    """A PATH with this machine's programs, some missing, some replaced by one that prints a version."""
    folder.mkdir()
    for path in Path("/usr/bin").iterdir():
        if path.name not in without and path.name not in instead:
            (folder / path.name).symlink_to(path)
    for name, version in instead.items():
        (folder / name).write_text(f"#!/bin/sh\necho '{version}'\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_skopeo_missing(place: Place) -> None:
    path = programs(place.root / "bin", "skopeo")
    found = place.fails("program-missing", ENVIRONMENT, "docker://localhost:1/os", PATH=path)
    assert "skopeo" in found.error


def test_skopeo_too_old(place: Place) -> None:
    path = programs(place.root / "bin", skopeo="skopeo version 1.2.0")
    found = place.fails("program-too-old", ENVIRONMENT, "docker://localhost:1/os", PATH=path)
    assert "1.2.0" in found.error


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sqfstar", APPLIANCE),
        ("qemu-img", APPLIANCE),
        ("qemu-system-x86_64", APPLIANCE),
        ("mcopy", ()),
    ],
)
def test_program_missing(place: Place, name: str, options: Sequence[str]) -> None:
    ids = {"qemu-img": "qemu-img-missing", "qemu-system-x86_64": "qemu-missing"}
    path = programs(place.root / "bin", name)
    image = place.image(oci.bootable())
    found = place.fails(ids.get(name, "program-missing"), ENVIRONMENT, image, *options, PATH=path)
    assert name in found.error
    assert re.search(r"hint: .*(apt|install)", found.error)


@pytest.mark.parametrize(
    ("id", "name"), [("qemu-img-too-old", "qemu-img"), ("qemu-too-old", "qemu-system-x86_64")]
)
def test_qemu_too_old(place: Place, id: str, name: str) -> None:
    path = programs(place.root / "bin", **{name: f"{name} version 4.2.0"})
    found = place.fails(id, ENVIRONMENT, place.image(oci.bootable()), *APPLIANCE, PATH=path)
    assert "4.2.0" in found.error


def hidden(place: Place, module: Path, text: str = "raise ImportError('hidden by a test')\n") -> str:
    """Shell that puts another module in the place of one of the system's Python."""
    if not module.exists():
        pytest.skip(f"{module} is not on this machine")
    stub = place.root / "stub.py"
    stub.write_text(text)
    return f"mount --bind {stub} {module}"


@as_root
def test_libguestfs_missing(place: Place) -> None:
    before = hidden(place, PYTHON_MODULES / "guestfs.py")
    image = place.image(oci.bootable())
    found = place.fails("libguestfs-missing", ENVIRONMENT, image, *APPLIANCE, before=before)
    assert "python3-guestfs" in found.error


@as_root
def test_libguestfs_too_old(place: Place) -> None:
    text = """class GuestFS:
    def __init__(self, **options): pass
    def version(self): return {"major": 1, "minor": 36, "release": 2, "extra": ""}
"""
    before = hidden(place, PYTHON_MODULES / "guestfs.py", text)
    image = place.image(oci.bootable())
    found = place.fails("libguestfs-too-old", ENVIRONMENT, image, *APPLIANCE, before=before)
    assert "1.36.2" in found.error


@as_root
def test_libostree_missing(place: Place) -> None:
    before = hidden(place, PYTHON_MODULES / "gi/__init__.py")
    found = place.fails("libostree-missing", ENVIRONMENT, place.image(oci.bootable()), before=before)
    assert "gir1.2-ostree-1.0" in found.error


def test_no_accelerator_of_that_name(place: Place) -> None:
    place.fails("command-line-invalid", USAGE, place.image(oci.bootable()), "--accel", "hvf")


@as_root
def test_kvm_that_does_not_answer(place: Place) -> None:
    before = "[ -e /dev/kvm ] || exit 77; mount --bind /dev/null /dev/kvm"
    if not Path("/dev/kvm").exists():
        pytest.skip("there is no /dev/kvm to put something else in its place")
    image = place.image(oci.bootable())
    found = place.fails("kvm-unusable", ENVIRONMENT, image, "--accel", "kvm", before=before)
    assert "--accel tcg" in found.error


@pytest.mark.real
def test_kvm_that_runs_no_guest(place: Place) -> None:
    from bootimg.cache import Cache
    from bootimg.vm.probe import choose_accelerator

    if choose_accelerator("auto", Cache(place.root / "probe")).name == "kvm":
        pytest.skip("KVM works on this machine")
    place.fails("kvm-unusable", ENVIRONMENT, place.image(oci.bootable()), "--accel", "kvm")


def test_second_build_of_the_same_id(place: Place) -> None:
    image = place.image(oci.bootable())
    place.build.mkdir(parents=True)
    with build_lock(place.build):
        found = place.fails("build-running", FAILED, image)
    assert str(os.getpid()) in found.error
    place.has_no_build()


# No space left

Mount = Callable[[Path, int], Path]


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """A file system of `size` bytes, mounted on `folder`."""
    backing = folder.with_name(f"{folder.name}.disk")
    with backing.open("wb") as handle:
        handle.truncate(size)
    subprocess.run(["mkfs.ext4", "-qFm0", "-O", "^has_journal", backing], check=True)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-o", "loop", backing, folder], check=True)
    try:
        (folder / "lost+found").rmdir()
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        backing.unlink()


@pytest.fixture
def mounted() -> Iterator[Mount]:
    with ExitStack() as stack:

        def mount(folder: Path, size: int) -> Path:
            folder.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(small_disk(folder, size))
            return folder

        yield mount


def noisy(place: Place) -> Path:
    """A good image that takes 8 MiB wherever it is written."""
    return place.image(oci.bootable(oci.file("usr/share/noise", os.urandom(8 * MIB))))


@as_root
@pytest.mark.parametrize(
    "folder",
    ["cache/blobs", "cache/tars", "cache/repo", "cache/tooltrees", "cache/bases", "builds"],
    ids=["fetch", "layers", "import", "tool tree", "repo image", "archive"],
)
def test_no_space_at_a_step(place: Place, mounted: Mount, folder: str) -> None:
    image = noisy(place)
    where = mounted(place.root / folder, 4 * MIB)
    found = place.fails("no-space-left", FAILED, image, *APPLIANCE)
    assert str(where) in found.error
    assert "free" in found.error
    assert "hint: " in found.error
    assert not (place.builds / "builds.json").exists()


@as_root
def test_no_space_for_a_single_byte(place: Place, mounted: Mount) -> None:
    image = noisy(place)
    mounted(place.builds, 2 * MIB)
    place.build.mkdir(parents=True)
    fill(place.build)
    place.fails("no-space-left", FAILED, image, *TCG)


def fill(folder: Path) -> None:
    """Take every block that is left, by a file beside the folder."""
    with (folder.parent / "filling").open("wb", buffering=0) as handle:
        try:
            while True:
                handle.write(bytes(4096))
        except OSError:
            return


@as_root
def test_no_space_is_told_before_the_work_begins(place: Place, mounted: Mount) -> None:
    image = noisy(place)
    mounted(place.cache, 64 * MIB)
    found = place.fails("no-space-left", FAILED, image, *TCG)
    assert "needed" in found.error
    assert not (place.cache / "repo").exists()


@as_root
@pytest.mark.matrix
def test_no_space_for_the_qcow2(built: Built, layer: Path, mounted: Mount) -> None:
    workspace = built.workspace
    place = Place(workspace.cache.parent)
    qcow2 = built.artifact("qemu")
    aside = qcow2.rename(place.root / qcow2.name)
    try:
        mounted(built.path / ".scratch", 96 * MIB)
        place.fails("no-space-left", FAILED, layer, *TCG)
        assert not qcow2.exists()
    finally:
        aside.rename(qcow2)


@as_root
@pytest.mark.matrix
@pytest.mark.parametrize("options", [(), APPLIANCE], ids=["native", "appliance"])
def test_no_space_for_the_base_disk(
    built: Built,
    layer: Path,
    tmp_path: Path,
    mounted: Mount,
    options: Sequence[str],
    request: pytest.FixtureRequest,
) -> None:
    """The virtual machine is not left hanging on a disk that cannot grow."""
    place = Place(tmp_path)
    if options:
        # Its cache is the same, and has the layer's image for the appliance then.
        request.getfixturevalue("by_appliance")
    subprocess.run(["cp", "-al", built.workspace.cache, place.cache], check=True)
    subprocess.run(["rm", "-rf", place.cache / "bases"], check=True)
    # In the appliance the layer's image lies beside the disk; the cache may have those of other layers.
    beside = max(path.stat().st_size for path in place.cache.glob("tooltrees/*")) if options else 0
    mounted(place.cache / "bases", beside + 260 * MIB)
    found = place.fails("no-space-left", FAILED, layer, *options)
    assert str(place.cache / "bases") in found.error

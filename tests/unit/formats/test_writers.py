import hashlib
import importlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bootimg import formats
from bootimg.atomic import whole_file
from bootimg.disk.bootpatch import Patch
from bootimg.disk.composite import Composite
from bootimg.disk.extents import Extent, FileSource, Source
from bootimg.errors import BootimgError
from bootimg.events import Event, Events, StepProgress
from bootimg.formats.qcow2.packed import write_qcow2
from bootimg.formats.qcow2.plain import CLUSTER, plan
from bootimg.sizes import GIB, MIB
from bootimg.vm.diskimage import open_image
from tests.support.disks import whole_disk

needs_qemu_img = pytest.mark.skipif(not shutil.which("qemu-img"), reason="qemu-img is not installed")
OPTIONS: dict[str, str | bool] = {"compat": "1.1", "compression": False}


def qemu_img(*words: str | Path) -> bytes:
    return subprocess.run(["qemu-img", *words], capture_output=True, check=True).stdout


def make_raw(path: Path, size: int, data: list[tuple[int, int]]) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
        for offset, length in data:
            file.seek(offset)
            file.write(os.urandom(max(0, min(length, size - offset))))
        file.truncate(size)
    return path


def convert(raw: Path, out: Path, disk_format: str = "qcow2") -> formats.Written:
    with FileSource(raw) as source:
        return formats.write(disk_format, source, out, OPTIONS if disk_format == "qcow2" else {})


@needs_qemu_img
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    size=st.one_of(st.integers(1, 40 * CLUSTER), st.integers(1, 40 * 128).map(lambda count: count * 512)),
    data=st.lists(st.tuples(st.integers(0, 40 * CLUSTER), st.integers(1, 3 * CLUSTER)), max_size=6),
)
def test_qemu_img_accepts_it_and_finds_the_same_content(
    tmp_path: Path, size: int, data: list[tuple[int, int]]
) -> None:
    raw, out = make_raw(tmp_path / "raw", size, data), tmp_path / "out.qcow2"
    written = convert(raw, out)
    qemu_img("check", "-f", "qcow2", out)
    if size % 512 == 0:
        qemu_img("compare", "-f", "raw", "-F", "qcow2", raw, out)
    assert out.read_bytes()[:4] == b"QFI\xfb"
    assert (written.size, written.sha256) == (
        out.stat().st_size,
        hashlib.sha256(out.read_bytes()).hexdigest(),
    )
    whole = whole_disk(open_image(out, "qcow2"), tmp_path / "back")
    assert whole == raw.read_bytes().ljust(-(-size // 512) * 512, b"\0")


@needs_qemu_img
def test_a_disk_of_many_gib_with_two_l1_entries(tmp_path: Path) -> None:
    spots = [(0, MIB), (512 * MIB - 7, 100), (3 * GIB + 5, 3 * MIB), (10 * GIB - CLUSTER, CLUSTER)]
    raw, out = make_raw(tmp_path / "raw", 10 * GIB, spots), tmp_path / "out.qcow2"
    convert(raw, out)
    check = json.loads(qemu_img("check", "--output=json", out))
    assert check["check-errors"] == 0
    assert check.get("leaks", 0) == 0
    qemu_img("compare", "-f", "raw", "-F", "qcow2", raw, out)
    info = json.loads(qemu_img("info", "--output=json", out))
    assert (info["format"], info["virtual-size"], info["cluster-size"]) == ("qcow2", 10 * GIB, CLUSTER)
    assert info["format-specific"]["data"]["compat"] == "1.1"
    assert out.stat().st_size < 6 * MIB


@needs_qemu_img
def test_zero_clusters_inside_data_are_left_out(tmp_path: Path) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out.qcow2"
    content = bytearray(os.urandom(8 * CLUSTER))
    content[2 * CLUSTER : 4 * CLUSTER] = bytes(2 * CLUSTER)
    content[5 * CLUSTER : 6 * CLUSTER - 1] = bytes(CLUSTER - 1)
    content[6 * CLUSTER - 1] = 1
    raw.write_bytes(content)
    convert(raw, out)
    map_ = json.loads(qemu_img("map", "--output=json", out))
    assert [(each["start"], each["length"]) for each in map_ if not each["data"]] == [
        (2 * CLUSTER, 2 * CLUSTER)
    ]
    qemu_img("compare", "-f", "raw", "-F", "qcow2", raw, out)


def test_the_bytes_depend_on_the_content_alone(tmp_path: Path) -> None:
    dense = make_raw(tmp_path / "a", 4 * MIB, [(MIB, MIB)])
    shutil.copyfile(dense, tmp_path / "b")
    (tmp_path / "b").write_bytes(dense.read_bytes())
    first = convert(dense, tmp_path / "1.qcow2")
    second = convert(tmp_path / "b", tmp_path / "2.qcow2")
    assert first.sha256 == second.sha256


def test_another_reader_sees_the_same(tmp_path: Path) -> None:
    try:
        module = importlib.import_module("dissect.hypervisor.disk.qcow2")
    except ImportError:
        pytest.skip("dissect.hypervisor is not installed")
    raw = make_raw(tmp_path / "raw", 700 * MIB, [(0, 100), (600 * MIB, MIB)])
    convert(raw, tmp_path / "out.qcow2")
    disk = module.QCow2(tmp_path / "out.qcow2")
    stream = disk.open() if hasattr(disk, "open") else disk
    with raw.open("rb") as file:
        while expected := file.read(4 * MIB):
            assert stream.read(4 * MIB) == expected
    assert stream.read(1) == b""


@needs_qemu_img
def test_a_composite_is_written_as_the_platform_sees_it(tmp_path: Path) -> None:
    base = make_raw(tmp_path / "base", 4 * MIB, [(0, MIB)])
    patch = Patch(((4096, b"p" * 4096), (3 * MIB, b"q" * 4096)))
    with Composite(base, patch, 16 * MIB) as source:
        written = formats.write("qcow2", source, tmp_path / "out.qcow2", OPTIONS)
        plain = formats.write("raw", source, tmp_path / "out.raw", {})
    assert hashlib.sha256(plain.path.read_bytes()).hexdigest() == plain.sha256
    assert plain.size == 16 * MIB
    model = bytearray(base.read_bytes()) + bytes(12 * MIB)
    for offset, data in patch.blocks:
        model[offset : offset + 4096] = data
    assert plain.path.read_bytes() == model
    qemu_img("compare", "-f", "raw", "-F", "qcow2", plain.path, written.path)


def test_raw_keeps_holes(tmp_path: Path) -> None:
    raw = make_raw(tmp_path / "raw", 64 * MIB + 3, [(10 * MIB, MIB)])
    if raw.stat().st_blocks * 512 > 8 * MIB:
        pytest.skip("this filesystem does not report holes")
    written = convert(raw, tmp_path / "out.raw", "raw")
    assert written.path.read_bytes() == raw.read_bytes()
    assert written.path.stat().st_blocks * 512 <= 3 * MIB


def test_refcounts_of_a_large_image_cover_themselves() -> None:
    for count in (0, 1, 32700, 32766, 32768, 70000):
        layout = plan(count * CLUSTER or 512, range(count))
        blocks = layout.l1 - layout.refcount_blocks
        assert blocks * 32768 >= layout.total
        assert (blocks - 1) * 32768 < layout.total
        assert layout.data + count == layout.total


def test_progress_ends_at_the_amount_of_data(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.write_bytes(os.urandom(MIB) + bytes(2 * MIB - 3) + b"end")
    seen: list[Event] = []

    def sink(event: Event) -> None:
        seen.append(event)

    with FileSource(raw) as source:
        total = formats.data_length(source)
        for name in formats.WRITERS:
            with Events([sink]).step(name, name, total=total) as step:
                formats.write(name, source, tmp_path / name, {}, step)
            assert step.done == total
    assert [event.done for event in seen if isinstance(event, StepProgress)][-1] == total


@pytest.mark.parametrize(("disk_format", "options", "id"), [
    ("vdi", {}, "disk-format-unsupported"),
    ("qcow2", {"compat": "0.10"}, "format-option-unsupported"),
    ("qcow2", {"compression": "zstd"}, "format-option-unsupported"),
    ("raw", {"compat": "1.1"}, "format-option-unsupported"),
    ("vmdk", {"subformat": "monolithicSparse"}, "format-option-unsupported"),
    ("vmdk", {"compression": False}, "format-option-unsupported"),
    ("vpc", {"subformat": "dynamic"}, "format-option-unsupported"),
    ("vhdx", {"subformat": "fixed"}, "format-option-unsupported"),
    ("gcp", {"compat6": True}, "format-option-unsupported"),
])  # fmt: skip
def test_what_is_not_supported_is_refused(
    tmp_path: Path, disk_format: str, options: dict[str, str | bool], id: str
) -> None:
    raw = make_raw(tmp_path / "raw", MIB, [])
    with FileSource(raw) as source, pytest.raises(BootimgError) as caught:
        formats.write(disk_format, source, tmp_path / "out", options)
    assert caught.value.id == id
    assert not (tmp_path / "out").exists()


@pytest.fixture
def small_filesystem(tmp_path: Path) -> Iterator[Path]:
    point = tmp_path / "small"
    point.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", point], capture_output=True)
    if done.returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small tmpfs")
def test_a_full_filesystem_is_named_and_nothing_is_left(small_filesystem: Path, tmp_path: Path) -> None:
    raw = make_raw(tmp_path / "raw", 8 * MIB, [(0, 8 * MIB)])
    (small_filesystem / "out").write_text("old")
    for name in formats.WRITERS:
        with pytest.raises(BootimgError) as caught:
            convert(raw, small_filesystem / "out", name)
        assert caught.value.id == "no-space-left"
        assert str(small_filesystem) in caught.value.message
        assert {"vhdx": "12.", "gcp": "free"}.get(name, "8.") in caught.value.message
        assert [path.read_text() for path in small_filesystem.iterdir()] == ["old"]


def broken_source(size: int) -> Source:
    class Broken:
        def __init__(self) -> None:
            self.size = size

        def extents(self) -> Iterator[Extent]:
            yield Extent(0, size, data=True)

        def read(self, offset: int, length: int) -> bytes:
            if offset > 2 * MIB:
                raise OSError(5, "Input/output error")
            return b"x" * length

    return Broken()


def test_an_error_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("old")
    for writer in formats.WRITERS.values():
        with pytest.raises(OSError, match="Input/output"):
            writer(broken_source(8 * MIB), tmp_path / "out", {}, None)
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        assert (tmp_path / "out").read_text() == "old"


@pytest.mark.parametrize("anonymous", [True, False])
def test_whole_files_without_tmpfile_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anonymous: bool
) -> None:
    if not anonymous:
        monkeypatch.setattr("bootimg.atomic.os.O_TMPFILE", os.O_DIRECTORY)
    path = tmp_path / "file"
    path.write_text("old")
    with whole_file(path, mode=0o640) as handle:
        handle.write(b"new")
        assert path.read_text() == "old"
        assert (len(list(tmp_path.iterdir())) == 1) == anonymous
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(KeyError), whole_file(path) as handle:
        handle.write(b"half")
        raise KeyError
    assert [each.read_text() for each in tmp_path.iterdir()] == ["new"]


def test_a_writer_works_as_a_plain_function_too(tmp_path: Path) -> None:
    raw = make_raw(tmp_path / "raw", MIB, [(0, 10)])
    with FileSource(raw) as source:
        assert write_qcow2(source, tmp_path / "out", {}, None).path == tmp_path / "out"

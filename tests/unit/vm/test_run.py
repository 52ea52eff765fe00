"""What `bootimg run` boots, and kernel arguments for one run."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner

from bootimg import process
from bootimg.arch import Arch
from bootimg.builds.find import digest_of
from bootimg.cache import Cache
from bootimg.cli.commands.run import _disk, _size
from bootimg.cli.main import bootimg
from bootimg.disk.bootpatch import read_boot_files
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import Gpt, Partition, write_gpt
from bootimg.disk.kargsoverlay import overlay_with_kargs
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.formats import Compressor
from bootimg.formats.plainimage import plain_image
from bootimg.sizes import GIB, MIB
from bootimg.vm.diskimage import DiskImage, open_image
from bootimg.vm.image import image_format
from tests.support.disks import make_disk as sparse_disk
from tests.support.disks import needs_qemu_img, whole_disk, write

ENTRY = "title One\noptions rw quiet\nlinux /vmlinuz\n"
LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
DIGEST = "0" * 64
TOOLS = ("mke2fs", "debugfs", "e2fsck", "qemu-img", "qemu-io")
needs_tools = pytest.mark.skipif(not all(map(process.find, TOOLS)), reason=f"needs {', '.join(TOOLS)}")


def make_disk(folder: Path, name: str = "boot") -> Path:
    entries = folder / "tree" / "loader" / "entries"
    entries.mkdir(parents=True)
    (entries / "one.conf").write_text(ENTRY)
    disk, boot = folder / "disk,1.raw", folder / "boot.img"
    partition = Partition(3, name, LINUX, uuid.uuid4(), 4 * MIB // 512, 16 * MIB // 512)
    write_gpt(disk, Gpt(uuid.uuid4(), 32 * MIB // 512, (partition,)))
    with boot.open("wb") as handle:
        handle.truncate(16 * MIB)
    process.run(["mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", folder / "tree", boot])
    with disk.open("r+b") as handle:
        handle.seek(4 * MIB)
        handle.write(boot.read_bytes())
    return disk


def options_in(disk: DiskImage, folder: Path) -> tuple[str, ...]:
    raw = folder / "read-back"
    whole_disk(disk, raw)
    with FileSource(raw) as source:
        return read_boot_files(source, 4 * MIB, 16 * MIB, scratch=folder).options


@needs_tools
@pytest.mark.parametrize("kind", ["raw", "qcow2", "enlarged"])
def test_kernel_arguments_go_into_an_overlay(tmp_path: Path, kind: str) -> None:
    disk, disk_format = make_disk(tmp_path), "raw"
    if kind != "raw":
        process.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", disk, tmp_path / "disk,1.qcow2"])
        disk, disk_format = tmp_path / "disk,1.qcow2", "qcow2"
    if kind == "enlarged":
        process.run(["qemu-img", "resize", "-q", disk, "64M"])
    before = digest_of(disk)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    overlay = overlay_with_kargs(disk, disk_format, ["a=1", "b"], scratch)
    assert options_in(overlay, tmp_path) == ("rw", "quiet", "a=1", "b")
    assert digest_of(disk) == before
    assert open_image(overlay.path).base is None


@needs_tools
def test_a_disk_without_a_boot_partition(tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as caught:
        overlay_with_kargs(make_disk(tmp_path, "other"), "raw", ["a"], tmp_path)
    assert (caught.value.id, caught.value.exit_code) == ("boot-partition-missing", ExitCode.USAGE)


@needs_tools
def test_a_file_that_is_not_a_disk_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(8 * MIB))
    with pytest.raises(BootimgError, match="gpt-damaged"):
        overlay_with_kargs(tmp_path / "x", "raw", ["a"], tmp_path)


def build(builds: Path, id: str, images: dict[str, object]) -> Path:
    folder = builds / id / "x86_64"
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(
        json.dumps({"buildid": id, "coreos-assembler.basearch": "x86_64", "images": images})
    )
    (folder / "q.qcow2").touch()
    document = {"schema-version": "1.0.0", "builds": [{"id": id, "arches": ["x86_64"]}], "timestamp": "x"}
    (builds / "builds.json").write_text(json.dumps(document))
    return folder


def test_which_disk_is_meant(tmp_path: Path) -> None:
    folder = build(tmp_path, "1.2-0", {"qemu": {"path": "q.qcow2", "sha256": DIGEST}})
    for word in (None, "latest", "1.2-0", str(folder), str(folder / "meta.json"), str(folder / "q.qcow2")):
        assert _disk(word, tmp_path, Arch.X86_64).resolve() == folder / "q.qcow2"
    with pytest.raises(BootimgError, match="build-not-found"):
        _disk("1.3-0", tmp_path, Arch.X86_64)


def test_a_build_without_qemu(tmp_path: Path) -> None:
    build(tmp_path, "1.2-0", {"metal": {"path": "m.raw", "sha256": DIGEST}})
    with pytest.raises(BootimgError, match="artifact-missing"):
        _disk(None, tmp_path, Arch.X86_64)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--kargs", "a", "--write"], "--kargs applies to one run"),
        (["--ssh=true", "--console"], "give --console a file"),
        (["--bind-ro", "nowhere"], "is not SRC:DST"),
        (["--bind-ro", "/proc:relative"], "is not SRC:DST"),
        (["--bind-ro", "/no/such:/mnt"], "/no/such is not a folder"),
    ],
)
def test_impossible_options_are_refused(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "disk").touch()
    done = CliRunner().invoke(
        bootimg, ["run", *words, "--cache", str(tmp_path / "c"), "--", str(tmp_path / "disk")]
    )
    assert done.exit_code == 2
    assert said in done.stderr


PACKERS = [each for each in Compressor if each is not Compressor.NONE]


@needs_qemu_img
@pytest.mark.parametrize("compressor", PACKERS)
@pytest.mark.parametrize("disk_format", ["qcow2", "raw"])
def test_a_compressed_image_is_uncompressed_for_the_run(
    tmp_path: Path, compressor: Compressor, disk_format: str
) -> None:
    raw = sparse_disk(tmp_path / "raw", 40 * MIB, [(MIB, MIB)])
    packed = write(disk_format, raw, tmp_path / f"a{compressor.suffix}", compressor=compressor).path
    before = digest_of(packed)
    with plain_image(packed, Cache(tmp_path / "cache"), Events()) as disk:
        assert disk.stat().st_blocks * 512 < 8 * MIB
        assert image_format(disk) == disk_format
        process.run(["qemu-img", "compare", "-f", disk_format, "-F", "raw", disk, raw])
    assert not disk.exists()
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []
    assert digest_of(packed) == before


def test_a_plain_image_is_booted_without_a_copy(tmp_path: Path) -> None:
    raw = sparse_disk(tmp_path / "raw", 2 * MIB, [(0, 512)])
    with plain_image(raw, Cache(tmp_path / "cache"), Events()) as disk:
        assert disk == raw
    assert raw.exists()
    assert not (tmp_path / "cache").exists()


def test_a_damaged_compressed_image(tmp_path: Path) -> None:
    raw = sparse_disk(tmp_path / "raw", 2 * MIB, [(0, MIB)])
    packed = write("raw", raw, tmp_path / "a.gz", compressor=Compressor.GZIP).path
    packed.write_bytes(packed.read_bytes()[:-9])
    with (
        pytest.raises(BootimgError, match="compressed-file-damaged"),
        plain_image(packed, Cache(tmp_path / "cache"), Events()),
    ):
        pytest.fail("it was booted")
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []


def test_a_compressed_image_that_has_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootimg.atomic.free_space", lambda path: 3 * MIB)
    raw = sparse_disk(tmp_path / "raw", 64 * MIB, [(0, 4 * MIB)])
    packed = write("raw", raw, tmp_path / "a.gz", compressor=Compressor.GZIP).path
    cache = Cache(tmp_path / "cache")
    with pytest.raises(BootimgError, match="no-space-left"), plain_image(packed, cache, Events()):
        pytest.fail("it was booted")
    with plain_image(packed, cache, Events(), 3 * MIB) as disk:
        assert disk.stat().st_size == 64 * MIB


def test_the_size_of_a_compressed_image_is_in_meta_json(tmp_path: Path) -> None:
    folder = build(
        tmp_path, "1.2-0", {"qemu": {"path": "q.qcow2", "sha256": DIGEST, "uncompressed-size": 5 * GIB}}
    )
    assert _size(None, tmp_path, Arch.X86_64) == 5 * GIB
    assert _size(str(folder / "q.qcow2"), tmp_path, Arch.X86_64) is None


def test_what_is_written_to_must_be_plain(tmp_path: Path) -> None:
    raw = sparse_disk(tmp_path / "raw", MIB, [(0, 512)])
    packed = write("raw", raw, tmp_path / "a.xz", compressor=Compressor.XZ).path
    done = CliRunner().invoke(
        bootimg, ["run", "--write", "--cache", str(tmp_path / "cache"), "--", str(packed)]
    )
    assert done.exit_code == 2
    assert "is compressed" in done.stderr

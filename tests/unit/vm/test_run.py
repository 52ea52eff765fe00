"""What `bootimg run` boots, and kernel arguments for one run."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bootimg import process
from bootimg.arch import Arch
from bootimg.arches.row import Firmware, UefiImage
from bootimg.builds.find import digest_of
from bootimg.cache import Cache
from bootimg.checks.layouts import LAYOUTS
from bootimg.cli.commands.run.media import Choice
from bootimg.cli.commands.run.target import check_sectors
from bootimg.cli.main import bootimg
from bootimg.cli.options.runtypes import TargetSize
from bootimg.disk.bootpatch import read_boot_files
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import Gpt, Partition, write_gpt
from bootimg.disk.kargsoverlay import overlay_with_kargs
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.formats import Compressor
from bootimg.formats.plainimage import plain_image
from bootimg.sizes import GIB, MIB
from bootimg.untrusted.budget import Budget
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.diskimage import DiskImage, open_image
from bootimg.vm.image import image_format
from bootimg.vm.network import Link
from bootimg.vm.qemu import require_system, system_name
from bootimg.vm.session import Session
from tests.support.disks import make_disk as sparse_disk
from tests.support.disks import needs_qemu_img, whole_disk, write
from tests.support.live.liveiso import written_iso
from tests.support.program import program

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


def build(builds: Path, id: str, images: dict[str, object], arch: Arch = Arch.X86_64) -> Path:
    folder = builds / id / arch
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(
        json.dumps({"buildid": id, "coreos-assembler.basearch": arch, "images": images})
    )
    (folder / "q.qcow2").touch()
    document = {"schema-version": "1.0.0", "builds": [{"id": id, "arches": [arch]}], "timestamp": "x"}
    (builds / "builds.json").write_text(json.dumps(document))
    return folder


def chosen(image: str | None, builds: Path) -> Choice:
    return Choice(image=image, builds=builds, arch=Arch.X86_64, pxe=False, write=False, kargs=())


def test_which_disk_is_meant(tmp_path: Path) -> None:
    folder = build(tmp_path, "1.2-0", {"qemu": {"path": "q.qcow2", "sha256": DIGEST}})
    for word in (None, "latest", "1.2-0", str(folder), str(folder / "meta.json"), str(folder / "q.qcow2")):
        assert chosen(word, tmp_path).disk.resolve() == folder / "q.qcow2"
    with pytest.raises(BootimgError, match="build-not-found"):
        chosen("1.3-0", tmp_path).disk  # noqa: B018


def test_a_build_without_qemu(tmp_path: Path) -> None:
    build(tmp_path, "1.2-0", {"metal": {"path": "m.raw", "sha256": DIGEST}})
    with pytest.raises(BootimgError, match="artifact-missing"):
        chosen(None, tmp_path).disk  # noqa: B018


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--kargs", "a", "--write"], "--kargs applies to one run"),
        (["--ssh=true", "--console"], "give --console a file"),
        (["--target-disk", "10G"], "--target-disk is for live media"),
        (["--target-disk", "10G:4096", "--arch", "x86_64"], "give --firmware uefi"),
        (["--target-disk", "10G:4k"], "sectors have 512 or 4096 bytes"),
        (["--target-disk", "0"], "is not a number of whole MiB"),
        (["--target-disk", "ten"], "size-malformed"),
        (["--keep-target", "kept.qcow2"], "keeps the disk of --target-disk"),
        (["--target-disk", "10G", "--keep-target", "/no/such/kept"], "/no/such is not a folder"),
        (["--target-disk", "10G", "--keep-target", __file__], "output-exists"),
        (["--pxe"], "--pxe boots the live files of a build"),
        (["--pxe", "--write"], "live media are never changed"),
        (["--bind-ro", "nowhere"], "is not SRC:DST"),
        (["--bind-ro", "/proc:relative"], "is not SRC:DST"),
        (["--bind-ro", "/no/such:/mnt"], "/no/such is not a folder"),
    ],
)
def test_impossible_options_are_refused(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "disk").touch()
    done = program("run", *words, "--cache", tmp_path / "c", "--", tmp_path / "disk")
    assert done.returncode == 2
    assert said in done.stderr


def test_only_a_bios_starts_no_disk_with_large_sectors() -> None:
    large = TargetSize(10 * GIB, 4096)
    with pytest.raises(click.UsageError, match="a BIOS starts no disk"):
        check_sectors(large, Arch.X86_64, None)
    check_sectors(large, Arch.X86_64, Firmware.UEFI)
    check_sectors(large, Arch.AARCH64, None)
    check_sectors(large, Arch.S390X, None)


def test_live_media_are_never_written(tmp_path: Path) -> None:
    iso = written_iso(tmp_path / "live.iso")
    done = program("run", "--write", "--cache", tmp_path / "c", iso)
    assert (done.returncode, "live media are never changed" in done.stderr) == (2, True)


def test_an_iso_that_is_not_of_coreos(tmp_path: Path) -> None:
    iso = written_iso(tmp_path / "live.iso")
    data = iso.read_bytes().replace(b"IGNINFO.JSO", b"XGNINFO.JSO").replace(b"IGNITION.IMG", b"XGNITION.IMG")
    iso.write_bytes(data)
    done = program("run", "--cache", tmp_path / "c", iso)
    assert (done.returncode, "iso-not-coreos" in done.stderr) == (2, True)


def test_pxe_of_a_build_without_live_media(tmp_path: Path) -> None:
    build(tmp_path, "1.2-0", {"qemu": {"path": "q.qcow2", "sha256": DIGEST}})
    done = program("run", "--pxe", "-o", tmp_path, "--arch", "x86_64", "--cache", tmp_path / "c")
    assert done.returncode == 2
    assert "artifact-missing" in done.stderr
    assert "`bootimg build --from 1.2-0 -p live` makes it" in done.stderr


ROOTS = {layout.arch: each.type_guid for layout in LAYOUTS for each in layout.places
         if each.name == "root" and each.type_guid != str(LINUX)}  # fmt: skip
# What boots a disk of the architecture: emulator, machine, firmware's drives, Ignition's config, the disk.
MACHINES = {
    Arch.X86_64: ("qemu-system-x86_64", "q35", 0, "-fw_cfg", "virtio-blk-pci"),
    Arch.AARCH64: ("qemu-system-aarch64", "virt", 2, "-fw_cfg", "virtio-blk-pci"),
    Arch.PPC64LE: ("qemu-system-ppc64", "pseries", 0, "-device", "virtio-blk-pci"),
    Arch.S390X: ("qemu-system-s390x", "s390-ccw-virtio", 0, "-device", "virtio-blk-ccw"),
}


def disk_of(arch: Arch, path: Path, disk_format: str = "raw") -> Path:
    """A disk whose partitions say the architecture."""
    root = Partition(4, "root", uuid.UUID(ROOTS[arch]), uuid.uuid4(), MIB // 512, MIB // 512)
    raw = path.with_suffix(".raw")
    write_gpt(raw, Gpt(uuid.uuid4(), 4 * MIB // 512, (root,)))
    if disk_format == "raw":
        return raw
    process.run(["qemu-img", "convert", "-f", "raw", "-O", disk_format, raw, path])
    return path


class Ran(Exception):
    """Carries the session out of the verb."""


def session(monkeypatch: pytest.MonkeyPatch, cache: Path, *words: str | Path) -> Session:
    """What `bootimg run` would boot."""

    def stop(session: Session, *_: object) -> int:
        raise Ran(session)

    monkeypatch.setattr(Session, "run", stop)
    monkeypatch.setattr(Arch, "of_machine", lambda: Arch.X86_64)
    monkeypatch.setattr(
        "bootimg.cli.commands.run.command.choose_accelerator", lambda *_: Accelerator("tcg", "")
    )
    done = CliRunner().invoke(bootimg, ["run", *map(str, words), "--cache", str(cache)])
    assert isinstance(done.exception, Ran), done.output
    found: Session = done.exception.args[0]
    return found


@needs_qemu_img
@pytest.mark.parametrize("disk_format", ["raw", "qcow2"])
@pytest.mark.parametrize("arch", ROOTS)
def test_a_disk_says_its_own_architecture(
    arch: Arch, disk_format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = disk_of(arch, tmp_path / "disk.img", disk_format)
    assert session(monkeypatch, tmp_path / "cache", disk).arch is arch
    assert session(monkeypatch, tmp_path / "cache", disk, "--arch", "ppc64le").arch is Arch.PPC64LE


def test_the_build_around_a_file_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = build(tmp_path, "1.2-0", {"qemu": {"path": "q.qcow2", "sha256": DIGEST}}, Arch.S390X)
    (folder / "q.qcow2").write_bytes(bytes(MIB))
    for words in (["-o", tmp_path], ["-o", tmp_path, "latest"], [folder], [folder / "q.qcow2"]):
        assert session(monkeypatch, tmp_path / "cache", *words).arch is Arch.S390X


def test_a_disk_that_says_nothing_is_for_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk").write_bytes(bytes(MIB))
    assert session(monkeypatch, tmp_path / "cache", tmp_path / "disk").arch is Arch.X86_64


def test_of_a_build_of_several_architectures_it_is_this_machine_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arch in (Arch.X86_64, Arch.AARCH64):
        folder = build(tmp_path, "1.2-0", {"qemu": {"path": "q.qcow2", "sha256": DIGEST}}, arch)
        (folder / "q.qcow2").write_bytes(bytes(MIB))
    words = ["-o", str(tmp_path)]
    assert session(monkeypatch, tmp_path / "cache", *words).arch is Arch.X86_64
    assert session(monkeypatch, tmp_path / "cache", *words, "--arch", "aarch64").arch is Arch.AARCH64


@needs_qemu_img
@pytest.mark.parametrize("arch", MACHINES)
def test_the_machine_is_of_the_architecture(
    arch: Arch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator, machine, flash, ignition, disk = MACHINES[arch]
    for name in ("code", "template"):
        (tmp_path / name).touch()
    image = UefiImage(tmp_path / "code", tmp_path / "template")
    monkeypatch.setattr("bootimg.vm.firmware.find_uefi", lambda _: image)
    found = session(monkeypatch, tmp_path / "cache", disk_of(arch, tmp_path / "disk"))
    argv = found.machine(tmp_path, Link(None)).argv(Path("/usr/bin", system_name(found.arch)))
    text = " ".join(argv)
    assert argv[0] == f"/usr/bin/{emulator}"
    assert argv[argv.index("-machine") + 1].partition(",")[0] == machine
    assert text.count("if=pflash") == flash
    assert f"{disk},drive=disk,bootindex=1" in argv
    assert ("-fw_cfg" in argv) is (ignition == "-fw_cfg")
    assert (f"{disk},serial=ignition,drive=ignition" in argv) is (ignition == "-device")


@pytest.mark.parametrize("arch", MACHINES)
def test_a_missing_emulator_names_its_package(arch: Arch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "find", lambda _: None)
    monkeypatch.setattr(Arch, "of_machine", lambda: Arch.X86_64 if arch is not Arch.X86_64 else Arch.S390X)
    with pytest.raises(BootimgError) as caught:
        require_system(arch)
    assert (caught.value.id, caught.value.exit_code) == ("qemu-missing", ExitCode.ENVIRONMENT)
    assert caught.value.message.startswith(MACHINES[arch][0])
    packages = arch.row.hardware.packages
    assert any(name in (caught.value.hint or "") for name in (packages.apt, packages.dnf))


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
    with plain_image(packed, Cache(tmp_path / "cache"), Events(), Budget()) as disk:
        assert disk.stat().st_blocks * 512 < 8 * MIB
        assert image_format(disk) == disk_format
        process.run(["qemu-img", "compare", "-f", disk_format, "-F", "raw", disk, raw])
    assert not disk.exists()
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []
    assert digest_of(packed) == before


def test_a_plain_image_is_booted_without_a_copy(tmp_path: Path) -> None:
    raw = sparse_disk(tmp_path / "raw", 2 * MIB, [(0, 512)])
    with plain_image(raw, Cache(tmp_path / "cache"), Events(), Budget()) as disk:
        assert disk == raw
    assert raw.exists()
    assert not (tmp_path / "cache").exists()


def test_a_damaged_compressed_image(tmp_path: Path) -> None:
    raw = sparse_disk(tmp_path / "raw", 2 * MIB, [(0, MIB)])
    packed = write("raw", raw, tmp_path / "a.gz", compressor=Compressor.GZIP).path
    packed.write_bytes(packed.read_bytes()[:-9])
    with (
        pytest.raises(BootimgError, match="compressed-file-damaged"),
        plain_image(packed, Cache(tmp_path / "cache"), Events(), Budget()),
    ):
        pytest.fail("it was booted")
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []


def test_a_compressed_image_that_has_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootimg.atomic.free_space", lambda path: 3 * MIB)
    raw = sparse_disk(tmp_path / "raw", 64 * MIB, [(0, 4 * MIB)])
    packed = write("raw", raw, tmp_path / "a.gz", compressor=Compressor.GZIP).path
    cache = Cache(tmp_path / "cache")
    with pytest.raises(BootimgError, match="no-space-left"), plain_image(packed, cache, Events(), Budget()):
        pytest.fail("it was booted")
    with plain_image(packed, cache, Events(), Budget(), 3 * MIB) as disk:
        assert disk.stat().st_size == 64 * MIB


def test_the_size_of_a_compressed_image_is_in_meta_json(tmp_path: Path) -> None:
    folder = build(
        tmp_path, "1.2-0", {"qemu": {"path": "q.qcow2", "sha256": DIGEST, "uncompressed-size": 5 * GIB}}
    )
    assert chosen(None, tmp_path).uncompressed_size == 5 * GIB
    assert chosen(str(folder / "q.qcow2"), tmp_path).uncompressed_size is None


def test_what_is_written_to_must_be_plain(tmp_path: Path) -> None:
    raw = sparse_disk(tmp_path / "raw", MIB, [(0, 512)])
    packed = write("raw", raw, tmp_path / "a.xz", compressor=Compressor.XZ).path
    done = CliRunner().invoke(
        bootimg, ["run", "--write", "--cache", str(tmp_path / "cache"), "--", str(packed)]
    )
    assert done.exit_code == 2
    assert "is compressed" in done.stderr

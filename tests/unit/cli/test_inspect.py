"""`bootimg inspect`: disks by blkid's, sfdisk's and debugfs' words, layers and builds by their own."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import struct
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from bootimg import process
from bootimg.disk.blsentry import bls_entry
from bootimg.disk.extents import FileSource, copy_sparse
from bootimg.disk.gpt import Gpt, Partition, write_gpt
from bootimg.disk.inspection import console_commands
from bootimg.disk.view import DiskView
from bootimg.errors import ExitCode
from bootimg.formats import Compressor
from bootimg.live.embed.edit import edit_in_place
from bootimg.live.iso.descriptors import Volume
from bootimg.live.iso.layout import lay_out
from bootimg.live.iso.tree import IsoFile
from bootimg.printable import printable
from bootimg.sizes import MIB
from tests.support.disks import pieces, write
from tests.support.layers import oci
from tests.support.live.livefiles import BUILD, METAL, rootfs_image, whole_iso, written, written_whole
from tests.support.live.liveiso import DEFAULT, VOLUME, part
from tests.support.live.liveiso import write as write_iso
from tests.support.program import program
from tests.unit.rpmdb.test_database import PLACE, database, header

TITLE = "Stand-in 9.6 (ostree:0)"
ENTRY = f"""title {TITLE}
version 1
# a comment
options rw ostree=/ostree/boot.1/rhcos/abc/0 ignition.platform.id=aws
options console=ttyS0
linux /vmlinuz
initrd /one.img
"""
CONSOLE = "\n# CONSOLE-SETTINGS-START\nserial --speed=115200\n# CONSOLE-SETTINGS-END\n"
COMMIT = "ab" * 32
ORIGIN = "[origin]\ncontainer-image-reference=ostree-unverified-registry:quay.io/example/os:1\nA:Key=1\n"
ALEPH = {"version": "9.6", "padding": "x" * 9000}
# mkfs.xfs makes the files of it; the second deployment has no origin.
PROTOFILE = """/
0 0
d--755 0 0
.aleph-version.json ---644 0 0 {folder}/aleph
.coreos-aleph-version.json l--777 0 0 .aleph-version.json
ostree d--755 0 0
deploy d--755 0 0
rhcos d--755 0 0
deploy d--755 0 0
{commit}.0 d--755 0 0
$
{commit}.1 d--755 0 0
$
{commit}.0.origin ---644 0 0 {folder}/origin
$
$
$
$
$
"""
LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
GUIDS = [uuid.UUID(int=number) for number in (1, 2, 3, 4)]
BOOT_UUID = "96d15588-3596-4b3c-adca-a2ff7279ea63"
ROOT_UUID = "910678ff-f77e-4a7d-8d53-86f2ac47a823"
TOOLS = ("mke2fs", "mkfs.xfs", "xfs_db", "mkfs.fat", "debugfs", "blkid", "qemu-img")
needs_tools = pytest.mark.skipif(not all(map(process.find, TOOLS)), reason=f"needs {', '.join(TOOLS)}")


def make_disk(
    folder: Path, *, sector: int = 512, boot: str = "boot", firstboot: bool = True, entry: str = ENTRY
) -> Path:
    """A disk with a partition that holds nothing, a FAT, an ext4 and an XFS."""
    tree = folder / "tree"
    (tree / "loader" / "entries").mkdir(parents=True)
    (tree / "grub2").mkdir()
    (tree / "loader" / "entries" / "one.conf").write_text(entry)
    (tree / "grub2" / "console.cfg").write_text(CONSOLE)
    if firstboot:
        (tree / "ignition.firstboot").touch()
    (folder / "aleph").write_text(json.dumps(ALEPH))
    (folder / "origin").write_text(ORIGIN)
    (folder / "protofile").write_text(PROTOFILE.format(folder=folder, commit=COMMIT))
    layout = [("BIOS-BOOT", 1, 1), ("EFI-SYSTEM", 2, 34), (boot, 36, 16), ("root", 52, 310)]
    made = [
        Partition(number, name, LINUX, GUIDS[number - 1], start * MIB // sector, size * MIB // sector)
        for number, (name, start, size) in enumerate(layout, 1)
    ]
    disk = folder / "disk.raw"
    write_gpt(disk, Gpt(uuid.UUID(int=9), 364 * MIB // sector, tuple(made), sector))
    proto = str(folder / "protofile")
    commands = {
        2: ["mkfs.fat", "-F", "32", "-S", str(sector), "-n", "EFI-SYSTEM", "-i", "7b7795e7"],
        3: ["mke2fs", "-q", "-t", "ext4", "-L", "boot", "-U", BOOT_UUID, "-d", str(tree)],
        4: ["mkfs.xfs", "-q", "-s", f"size={sector}", "-L", "root", "-m", f"uuid={ROOT_UUID}", "-p", proto],
    }  # fmt: skip
    for number, command in commands.items():
        part = folder / f"part-{number}"
        with part.open("wb") as handle:
            handle.truncate(layout[number - 1][2] * MIB)
        process.run([*command, part])
        at = f"seek={layout[number - 1][1]}"
        process.run(["dd", f"if={part}", f"of={disk}", "bs=1M", at, "conv=notrunc,sparse", "status=none"])
    return disk


def run(*words: str | Path, cache: Path, code: int = 0) -> str:
    done = program("inspect", *words, "--cache", cache)
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """The disk by its sector size, made once: it is only read."""
    return cache(lambda sector: make_disk(tmp_path_factory.mktemp("made"), sector=sector))


def copied(disk: Path, folder: Path) -> Path:
    copy = folder / "disk.raw"
    with FileSource(disk) as source:
        copy_sparse(source, copy)
    return copy


@needs_tools
@pytest.mark.parametrize(
    ("form", "sector"), [*itertools.product(["raw", "qcow2", "vmdk"], [512, 4096]), ("gz", 512)]
)
def test_a_disk(tmp_path: Path, made: Callable[[int], Path], sector: int, form: str) -> None:
    raw = made(sector)
    disk = tmp_path / f"given.{form}"
    if form == "gz":
        write("raw", raw, disk, compressor=Compressor.GZIP)
    else:
        options = ["-o", "subformat=streamOptimized"] if form == "vmdk" else []
        process.run(["qemu-img", "convert", "-f", "raw", "-O", form, *options, raw, disk])
    before = pieces(disk)
    document = json.loads(run(disk, "--json", cache=tmp_path / "cache"))
    assert pieces(disk) == before
    size = disk.stat().st_size
    assert (document["kind"], document["path"], document["size"]) == ("disk", str(disk), size)
    assert document["format"] == ("raw" if form == "gz" else form)
    assert (document["virtual-size"], document["sector-size"]) == (364 * MIB, sector)
    assert document["disk-guid"] == str(uuid.UUID(int=9))
    places = [(each["number"], each["name"], each["offset"] // MIB) for each in document["partitions"]]
    assert places == [(1, "BIOS-BOOT", 1), (2, "EFI-SYSTEM", 2), (3, "boot", 36), (4, "root", 52)]
    assert [each["guid"] for each in document["partitions"]] == list(map(str, GUIDS))
    assert [each["filesystem"] for each in document["partitions"]] == [
        None,
        {"type": "vfat", "label": "EFI-SYSTEM", "uuid": "7B77-95E7"},
        {"type": "ext4", "label": "boot", "uuid": BOOT_UUID},
        {"type": "xfs", "label": "root", "uuid": ROOT_UUID},
    ]
    origin = {"container-image-reference": "ostree-unverified-registry:quay.io/example/os:1", "A:Key": "1"}
    deployed = {"stateroot": "rhcos", "commit": COMMIT}
    assert document["root"] == {
        "deployments": [{**deployed, "origin": origin}, {**deployed, "origin": None}],
        "aleph": ALEPH,
        "problem": None,
    }
    boot = document["boot"]
    assert (boot["ignition-platform"], boot["first-boot"]) == ("aws", True)
    assert boot["ostree"] == "/ostree/boot.1/rhcos/abc/0"
    assert boot["console"] == ["serial --speed=115200"]
    (entry,) = boot["entries"]
    assert (entry["file"], entry["title"], entry["initrd"]) == ("one.conf", TITLE, ["/one.img"])


@needs_tools
def test_a_disk_for_people(tmp_path: Path) -> None:
    lines = run(make_disk(tmp_path, firstboot=False), cache=tmp_path / "cache").splitlines()
    wanted = {"ignition": "aws", "first boot": "done, or not wanted", "console": "serial --speed=115200",
              "entry": f"one.conf: {TITLE}"}  # fmt: skip
    assert {line.rstrip() for line in lines} >= {f"{name:<10}  {text}" for name, text in wanted.items()}
    head, *rows = [line for line in lines if line.startswith(" ") and not line.startswith("  ")]
    assert head.split() == ["#", "PARTITION", "SIZE", "TYPE", "LABEL", "UUID"]
    assert [row[head.index("TYPE") :].split()[0] for row in rows] == ["-", "vfat", "ext4", "xfs"]


@needs_tools
def test_a_disk_without_a_boot_partition_is_a_disk(tmp_path: Path) -> None:
    disk = make_disk(tmp_path, boot="usr")
    assert json.loads(run(disk, "--json", cache=tmp_path / "cache"))["boot"] is None
    assert "no partition is called boot" in run(disk, cache=tmp_path / "cache")


@needs_tools
@pytest.mark.parametrize("size", [52, 200])
def test_a_disk_that_is_cut_off_is_told_as_far_as_it_goes(
    tmp_path: Path, made: Callable[[int], Path], size: int
) -> None:
    disk = copied(made(512), tmp_path)
    os.truncate(disk, size * MIB)
    document = json.loads(run(disk, "--json", cache=tmp_path / "cache"))
    assert document["boot"]["ignition-platform"] == "aws"
    assert document["partitions"][3]["offset"] == 52 * MIB
    root = document["root"]
    assert root is None or root["problem"]["id"] == "root-filesystem-unreadable"


@needs_tools
def test_a_root_that_cannot_be_read_is_said_and_the_rest_told(
    tmp_path: Path, made: Callable[[int], Path]
) -> None:
    disk = copied(made(512), tmp_path)
    with disk.open("r+b") as handle:
        # The version of the superblock; blkid looks at the magic number and the geometry.
        handle.seek(52 * MIB + 100)
        handle.write(b"\0\x09")
    document = json.loads(run(disk, "--json", cache=tmp_path / "cache"))
    assert document["root"]["problem"]["id"] == "root-filesystem-unreadable"
    assert document["boot"]["ignition-platform"] == "aws"


@needs_tools
@pytest.mark.parametrize("size", [0, 1, 1000, 8 * MIB])
def test_what_is_no_disk(tmp_path: Path, size: int) -> None:
    disk = tmp_path / "x"
    disk.write_bytes(bytes(size))
    assert "gpt-damaged" in run(disk, cache=tmp_path / "cache", code=ExitCode.FAILED)


@needs_tools
@pytest.mark.parametrize(
    "verb",
    [["inspect"], ["verify"], ["run"], ["run", "--arch", "x86_64"], ["run", "--kargs", "a=b"]],
    ids=" ".join,
)
def test_a_disk_that_claims_more_bytes_than_any_has(tmp_path: Path, verb: list[str]) -> None:
    """A qcow2 of 100 PiB: clusters of 2 MiB, a table of 204 800 entries, all of them holes."""
    disk, cluster = tmp_path / "huge.qcow2", 2 * MIB
    fields = (2, 0, 0, 21, 100 << 50, 0, 204_800, cluster, 2 * cluster, 1, 0, 0)
    header = struct.pack(">IIQIIQIIQQIIQ", 0x514649FB, *fields)
    with disk.open("wb") as handle:
        handle.write(header)
        handle.seek(2 * cluster)
        handle.write(struct.pack(">Q", 3 * cluster))
        handle.seek(3 * cluster)
        handle.write(struct.pack(">5H", 1, 1, 1, 1, 1))
        handle.truncate(4 * cluster)
    done = program(*verb, disk, "--cache", tmp_path / "cache")
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert "error: image-unreadable" in done.stderr
    assert "claims to be a disk of 102400" in done.stderr
    assert "qemu" not in done.stderr


@needs_tools
@pytest.mark.parametrize("verb", ["inspect", "verify"])
def test_a_gzip_with_a_name_of_megabytes_is_read_as_any_other(tmp_path: Path, verb: str) -> None:
    packed = tmp_path / "disk.raw.gz"
    plain = gzip.compress(bytes(MIB), mtime=0)
    packed.write_bytes(plain[:3] + b"\x08" + plain[4:10] + b"x" * (8 * MIB) + b"\0" + plain[10:])
    done = program(verb, packed, "--cache", tmp_path / "cache")
    assert done.returncode == ExitCode.FAILED
    assert "gpt-damaged" in done.stdout + done.stderr


@needs_tools
def test_a_view_has_what_was_fetched_alone(tmp_path: Path, made: Callable[[int], Path]) -> None:
    disk = made(512)
    view = DiskView(disk, "raw", tmp_path)
    given = pieces(disk)
    assert view.path.stat().st_size == disk.stat().st_size
    assert pieces(view.path) == {0: given[0]}
    assert view.boot() == (36 * MIB, 16 * MIB)
    view.fetch(363 * MIB, 2 * MIB)
    fetched = {0, *range(36, 52), 363}
    assert pieces(view.path) == {number: data for number, data in given.items() if number in fetched}


def test_what_is_no_live_iso(tmp_path: Path) -> None:
    iso, cache = tmp_path / "x.iso", tmp_path / "cache"
    iso.write_bytes(bytes(0x8001) + b"CD001" + bytes(2048))
    assert "iso-unreadable" in run(iso, cache=cache, code=ExitCode.USAGE)
    files = [IsoFile.of("README", b"another CD")]
    write_iso(lay_out(files, Volume(id="x", set_id="x", epoch=0)), iso)
    assert "iso-not-coreos" in run(iso, cache=cache, code=ExitCode.USAGE)


@pytest.mark.parametrize("packed", [False, True])
def test_a_live_iso(tmp_path: Path, packed: bool) -> None:
    iso, cache = written_whole(whole_iso(), tmp_path / "live.iso"), tmp_path / "cache"
    if packed:
        iso.write_bytes(gzip.compress(iso.read_bytes(), 1))
    document = json.loads(run(iso, "--json", cache=cache))
    assert (document["kind"], document["path"], document["volume-id"]) == ("iso", str(iso), VOLUME.id)
    assert (document["arch"], document["boots-as-disk"], document["embedded"]) == ("x86_64", True, [])
    assert [each["platform"] for each in document["boot"]] == [0, 0xEF]
    assert document["features"] == {"installer-config": True, "live-initrd-network": True}
    assert document["initramfs"]["version"] == BUILD
    assert document["initramfs"]["rootfs-checksums"] is True
    rootfs = document["rootfs"]
    assert (rootfs["version"], rootfs["filesystem"]["type"]) == (BUILD, "squashfs")
    assert rootfs["filesystem"]["compressors"] == ["zstd"]
    assert [(each["sector-size"], each["sha256"]) for each in rootfs["osmet"]] == [*METAL.items()]
    assert document["minimal-iso"]["problem"] is None
    lines = run(iso, cache=cache)
    assert "BIOS, UEFI" in lines
    assert "  default" not in lines
    assert "rhcos-4096.osmet: sectors of 4096 bytes, image of 3.0 MiB, x86_64, Stand-in 9.6" in lines


def test_changed_kernel_arguments_stand_beside_the_default(tmp_path: Path) -> None:
    iso = written(whole_iso(), tmp_path / "live.iso")
    edit_in_place(iso, lambda found: found.with_kargs("quiet"))
    document = json.loads(run(iso, "--json", cache=tmp_path / "cache"))
    assert (document["kargs"], document["kargs-default"]) == ("quiet", DEFAULT)
    lines = [line.split() for line in run(iso, cache=tmp_path / "cache").splitlines()]
    assert ["kargs", "quiet", "(changed)"] in lines
    assert ["default", *DEFAULT.split()] in lines


def test_a_live_iso_without_some_parts(tmp_path: Path) -> None:
    broken = rootfs_image(files={"rhcos-512.osmet": b"OSMET"})
    iso = written(whole_iso(initrd=part(b"x"), rootfs=part(broken)), tmp_path / "live.iso")
    document = json.loads(run(iso, "--json", cache=tmp_path / "cache"))
    assert document["initramfs"]["problem"]["id"] == "live-archive-malformed"
    [osmet] = document["rootfs"]["osmet"]
    assert osmet["problem"]["id"] == "osmet-damaged"
    assert document["minimal-iso"] is None
    lines = run(iso, cache=tmp_path / "cache").splitlines()
    assert any(line.startswith("minimal ISO") and line.endswith("cannot be made") for line in lines)


@pytest.mark.parametrize("archive", [False, True])
def test_a_layer(tmp_path: Path, archive: bool) -> None:
    kargs = b'{"size": 4, "extra-kargs": ["mitigations=auto"], "vmware-os-type": "x"}'
    layout = oci.Layout(tmp_path / "image")
    layout.add([oci.bootable(image_json=kargs)])
    given = layout.archive(tmp_path / "layer.ociarchive") if archive else layout.path
    words: list[str | Path] = [given, "--arch", "x86_64"]
    document = json.loads(run(*words, "--json", cache=tmp_path / "cache"))
    assert (document["kind"], document["arch"], document["layers"]) == ("image", "x86_64", 1)
    assert document["labels"] == dict(oci.LABELS)
    assert document["problem"] is None
    assert document["packages"] is None
    layer = document["layer"]
    assert (layer["form"], layer["commit"], layer["kernel"]) == ("plain", None, oci.KERNEL)
    assert layer["kernel-arguments"] == ["mitigations=auto"]
    assert layer["os-release"]["VERSION_ID"] == "9.6"
    assert layer["image-json"] == json.loads(kargs)
    lines = run(*words, cache=tmp_path / "cache").splitlines()
    assert f"kernel      {oci.KERNEL}" in lines
    assert 'image.json  extra-kargs: ["mitigations=auto"]' in lines


def test_a_layer_s_packages(tmp_path: Path) -> None:
    blob = header(name="bash", epoch=0, version="5.2", release="1.el9", arch="x86_64")
    layout = oci.Layout(tmp_path / "image")
    layout.add([oci.bootable(oci.file(PLACE, database(tmp_path / "made", blobs=(blob,))))])
    words: list[str | Path] = [layout.path, "--arch", "x86_64"]
    [package] = json.loads(run(*words, "--json", cache=tmp_path / "cache"))["packages"]
    assert (package["name"], package["epoch"], package["nevra"]) == ("bash", 0, "bash-0:5.2-1.el9.x86_64")
    assert "package     bash-0:5.2-1.el9.x86_64" in run(*words, cache=tmp_path / "cache").splitlines()


def test_a_database_that_cannot_be_read_is_a_warning(tmp_path: Path) -> None:
    layout = oci.Layout(tmp_path / "image")
    layout.add([oci.bootable(oci.file(PLACE, b"none"))])
    done = program("inspect", layout.path, "--arch", "x86_64", "--cache", tmp_path / "cache")
    assert done.returncode == 0
    assert "rpmdb-unreadable" in done.stderr
    assert f"kernel      {oci.KERNEL}" in done.stdout


def test_a_layer_of_which_no_disk_can_be_made_says_why(tmp_path: Path) -> None:
    layout = oci.Layout(tmp_path / "image")
    layout.add([oci.bootable(kernels=())])
    words: list[str | Path] = [layout.path, "--arch", "x86_64"]
    document = json.loads(run(*words, "--json", cache=tmp_path / "cache"))
    assert document["layer"] is None
    assert document["problem"]["id"] == "kernel-missing"
    assert "no disk can be made from it: the image has no kernel" in run(*words, cache=tmp_path / "cache")


def test_a_build_by_any_of_its_names(tmp_path: Path) -> None:
    folder = tmp_path / "builds" / "1.2-0" / "x86_64"
    folder.mkdir(parents=True)
    images = {
        "qemu": {"path": "q.qcow2", "size": 5, "sha256": "ab"},
        "aws": {"path": "gone.vmdk", "size": 9, "sha256": "cd"},
    }
    meta = {"buildid": "1.2-0", "coreos-assembler.basearch": "x86_64", "ostree-version": "1.2"}
    (folder / "meta.json").write_text(json.dumps({**meta, "images": images}))
    (folder / "q.qcow2").write_bytes(b"12345")
    index = {"schema-version": "1.0.0", "builds": [{"id": "1.2-0", "arches": ["x86_64"]}], "timestamp": "x"}
    (tmp_path / "builds" / "builds.json").write_text(json.dumps(index))
    common: list[str | Path] = ["-o", tmp_path / "builds", "--arch", "x86_64"]
    for name in ("latest", "1.2-0", folder, folder.parent, folder / "meta.json"):
        document = json.loads(run(name, *common, "--json", cache=tmp_path / "cache"))
        assert (document["kind"], document["build"], document["version"]) == ("build", "1.2-0", "1.2")
        present = {key: entry["present"] for key, entry in document["images"].items()}
        assert present == {"qemu": True, "aws": False}
    lines = run("latest", *common, cache=tmp_path / "cache").splitlines()
    assert [line.endswith("missing") for line in lines if ".vmdk" in line or ".qcow2" in line] == [
        False,
        True,
    ]
    assert "build-not-found" in run("latest", "-o", tmp_path, cache=tmp_path / "cache", code=ExitCode.USAGE)


def test_entries_and_consoles_are_read_as_they_are_written() -> None:
    entry = bls_entry(ENTRY)
    assert entry["options"][-2:] == ["ignition.platform.id=aws", "console=ttyS0"]
    assert (entry["version"], entry["linux"]) == ("1", "/vmlinuz")
    assert console_commands(CONSOLE) == ["serial --speed=115200"]
    assert console_commands("serial\n") == []


def test_keys_and_values_of_an_entry_are_divided_by_any_space() -> None:
    assert bls_entry("title\tCoreOS 9.6\noptions \t rw  a=b\nlinux\t/vmlinuz \n\noptions\n") == {
        "title": "CoreOS 9.6",
        "options": ["rw", "a=b"],
        "initrd": [],
        "linux": "/vmlinuz",
    }


def test_a_terminal_is_not_commanded() -> None:
    assert printable("title \x1b[2J\x07é") == "title \\x1b[2J\\x07é"

"""Images that name other files are refused by every command before a program sees them; all others open."""

from __future__ import annotations

import ast
import gzip
import hashlib
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from click.testing import CliRunner

from bootimg import process
from bootimg.builds.find import Build
from bootimg.builds.folder import open_build
from bootimg.cache import Cache
from bootimg.checks.purity import Purity
from bootimg.checks.verifier import Verifier
from bootimg.cli.main import bootimg
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.layer.fetching.fetch import RegistryOptions
from bootimg.orchestrator.basedisks.frommetal import base_from_metal
from bootimg.orchestrator.work import Work
from bootimg.sizes import KIB, MIB
from bootimg.untrusted.limits import DEFAULT
from bootimg.vm.diskimage import DiskImage, open_image
from bootimg.vm.imagetool import virtual_size
from bootimg.vm.vhdxreferences import _FILE_PARAMETERS, _PARENT_LOCATOR
from tests.support.disks import make_disk, needs_qemu_img, run, whole_disk, write
from tests.unit.checks.test_builds import METAL, X86, make, uncompressed

ROOT = Path(__file__).parents[3]
SECRET = b"a secret of this machine".ljust(64 * KIB, b"!")


def qemu_img(*words: str | Path) -> None:
    run("qemu-img", *words)


def backed(name: str, *words: str) -> Callable[[Path], Path]:
    """A qcow2 with a backing file of that name, which qemu-img does not look at."""

    def make(folder: Path) -> Path:
        out = folder / "disk"
        backing = name.format(secret=folder / "secret")
        qemu_img("create", "-q", "-f", "qcow2", *words, "-u", "-b", backing, "-F", "raw", out, "8M")
        return out

    return make


def data_file(folder: Path) -> Path:
    out = folder / "disk"
    options = f"data_file={folder / 'data'},data_file_raw=on"
    qemu_img("create", "-q", "-f", "qcow2", "-o", options, out, "8M")
    return out


def data_file_by_its_bit_alone(folder: Path) -> Path:
    return edited(data_file(folder), 0x44415441.to_bytes(4, "big"), 0x12345678.to_bytes(4, "big"))


def data_file_by_its_name_alone(folder: Path) -> Path:
    out = data_file(folder)
    data = bytearray(out.read_bytes())
    data[72:80] = bytes(8)
    out.write_bytes(data)
    return out


def edited(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))
    return path


def vmdk(subformat: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        out = folder / "disk.vmdk"
        qemu_img("create", "-q", "-f", "vmdk", "-o", f"subformat={subformat}", out, "8M")
        return out

    return make


def flat_over_a_file(folder: Path) -> Path:
    return edited(vmdk("monolithicFlat")(folder), b'"disk-flat.vmdk"', b'"%b"' % bytes(folder / "secret"))


def raw_device(folder: Path) -> Path:
    return edited(vmdk("monolithicFlat")(folder), b'FLAT "disk-flat.vmdk"', b'VMFSRDM "/dev/sda"')


def headless_descriptor(folder: Path) -> Path:
    """What QEMU's probe takes for a descriptor, though its first line is another."""
    return edited(flat_over_a_file(folder), b"# Disk DescriptorFile", b"\n  # hello\n")


def embedded_descriptor(folder: Path) -> Path:
    """A sparse file without a capacity, whose descriptor QEMU takes for the disk's."""
    text = b'# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 128 FLAT "%b" 0\n'
    out = folder / "disk"
    header = struct.pack("<4sIIQQQQ", b"KDMV", 1, 3, 0, 128, 4096, 20)
    out.write_bytes(
        header.ljust(4096 * 512, b"\0") + (text % bytes(folder / "secret")).ljust(20 * 512, b"\0")
    )
    return out


def two_extents(folder: Path) -> Path:
    own = b'RW 16384 SPARSE "disk.vmdk"'
    return padded(vmdk("monolithicSparse")(folder), own, own + b'\nRW 1 SPARSE "two"')


def elsewhere(folder: Path) -> Path:
    return padded(vmdk("monolithicSparse")(folder), b'"disk.vmdk"', b'"/etc/x"')


def child_of_a_vmdk(folder: Path) -> Path:
    parent, out = folder / "parent.vmdk", folder / "disk.vmdk"
    qemu_img("create", "-q", "-f", "vmdk", parent, "8M")
    qemu_img("create", "-q", "-f", "vmdk", "-b", parent, "-F", "vmdk", out)
    return out


def parent_by_its_number_alone(folder: Path) -> Path:
    return edited(vmdk("monolithicSparse")(folder), b"parentCID=ffffffff", b"parentCID=12345678")


def parent_where_only_qemu_looks(folder: Path) -> Path:
    """A descriptor that the header leads to says nothing, the one at QEMU's own place does."""
    out = child_of_a_vmdk(folder)
    data = bytearray(out.read_bytes())
    struct.pack_into("<Q", data, 28, len(data) // 512 + 1)
    out.write_bytes(data)
    return out


def padded(path: Path, old: bytes, new: bytes) -> Path:
    """Replace in an embedded descriptor, which keeps its length."""
    data = path.read_bytes()
    start, end = data.index(b"# Disk"), data.index(b"# Disk") + 20 * 512
    text = data[start:end].replace(old, new)
    assert new in text
    path.write_bytes(data[:start] + text.rstrip(b"\0").ljust(20 * 512, b"\0") + data[end:])
    return path


def vhd(folder: Path, subformat: str = "dynamic") -> tuple[Path, bytearray]:
    out = folder / "disk"
    qemu_img("create", "-q", "-f", "vpc", "-o", f"subformat={subformat}", out, "8M")
    return out, bytearray(out.read_bytes())


def differencing(folder: Path) -> Path:
    out, data = vhd(folder)
    name = str(folder / "secret").encode("utf-16-be")
    data[60:64] = data[-452:-448] = struct.pack(">I", 4)
    data[512 + 64 : 512 + 64 + len(name)] = name
    out.write_bytes(data)
    return out


def locator_of_a_dynamic_disk(folder: Path) -> Path:
    out, data = vhd(folder)
    data[512 + 576 : 512 + 580] = b"W2ku"
    out.write_bytes(data)
    return out


def differencing_by_its_end_alone(folder: Path) -> Path:
    out, data = vhd(folder, "fixed")
    data[-452:-448] = struct.pack(">I", 4)
    out.write_bytes(data)
    return out


def vhdx(folder: Path) -> tuple[Path, bytearray, int]:
    """An image and where its metadata's table begins."""
    out = folder / "disk"
    qemu_img("create", "-q", "-f", "vhdx", out, "8M")
    data = bytearray(out.read_bytes())
    return out, data, data.index(b"metadata")


def vhdx_child(folder: Path) -> Path:
    out, data, at = vhdx(folder)
    (count,) = struct.unpack_from("<H", data, at + 10)
    struct.pack_into("<H", data, at + 10, count + 1)
    name = "..\\secret".encode("utf-16-le")
    pair = struct.pack("<IIHH", 32, 32, 0, len(name))
    locator = bytes(18) + struct.pack("<H", 1) + pair + name
    entry = _PARENT_LOCATOR.bytes_le + struct.pack("<III", 128 * KIB, len(locator), 4) + bytes(4)
    data[at + 32 + 32 * count : at + 64 + 32 * count] = entry
    data[at + 128 * KIB : at + 128 * KIB + len(locator)] = locator
    out.write_bytes(data)
    return out


def vhdx_child_by_its_flag_alone(folder: Path) -> Path:
    out, data, at = vhdx(folder)
    entry = data.index(_FILE_PARAMETERS.bytes_le, at)
    (offset,) = struct.unpack_from("<I", data, entry + 16)
    data[at + offset + 4] |= 2
    out.write_bytes(data)
    return out


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "backing file": (backed("{secret}"), "backing file '{secret}'"),
    "of version 2": (backed("{secret}", "-o", "compat=0.10"), "backing file '{secret}'"),
    "json": (backed('json:{{"driver":"vvfat","dir":"/etc"}}'), "vvfat"),
    "nbd": (backed("nbd://127.0.0.1:10809/x"), "'nbd://127.0.0.1:10809/x'"),
    "ssh": (backed("ssh://user@host/x"), "'ssh://user@host/x'"),
    "fat": (backed("fat:rw:/etc"), "'fat:rw:/etc'"),
    "data file": (data_file, "external data file"),
    "data file, bit alone": (data_file_by_its_bit_alone, "external data file"),
    "data file, name alone": (data_file_by_its_name_alone, "external data file"),
    "flat": (flat_over_a_file, "FLAT extent '{secret}'"),
    "raw device": (raw_device, "VMFSRDM extent '/dev/sda'"),
    "split": (vmdk("twoGbMaxExtentSparse"), "SPARSE extent 'disk-s001.vmdk'"),
    "descriptor without its title": (headless_descriptor, "FLAT extent '{secret}'"),
    "embedded descriptor": (embedded_descriptor, "FLAT extent '{secret}'"),
    "two extents": (two_extents, "SPARSE extent 'two'"),
    "extent elsewhere": (elsewhere, "SPARSE extent '/etc/x'"),
    "vmdk with a parent": (child_of_a_vmdk, "parent.vmdk'"),
    "vmdk with a parent, number alone": (parent_by_its_number_alone, "CID 12345678"),
    "vmdk with a parent, for QEMU alone": (parent_where_only_qemu_looks, "parent.vmdk'"),
    "differencing vhd": (differencing, "parent disk '{secret}'"),
    "vhd with a locator": (locator_of_a_dynamic_disk, "parent disk"),
    "vhd's end": (differencing_by_its_end_alone, "parent disk"),
    "vhdx with a parent": (vhdx_child, "..\\\\secret"),
    "vhdx with a parent, flag alone": (vhdx_child_by_its_flag_alone, "parent disk"),
}
pytestmark = needs_qemu_img


@pytest.fixture(params=HOSTILE)
def hostile(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hostile image; from here on no program can be started."""
    (tmp_path / "secret").write_bytes(SECRET)
    path = HOSTILE[request.param][0](tmp_path)
    monkeypatch.setattr(process, "spawn", _no_program)
    return path


def _no_program(argv: list[str], **_: object) -> None:
    raise AssertionError(f"a program was started: {argv}")


def refused(*words: object) -> None:
    done = CliRunner().invoke(bootimg, [str(word) for word in words])
    assert isinstance(done.exception, BootimgError), (words, done.output, done.exception)
    assert (done.exception.id, done.exception.exit_code) == ("image-references-other-file", ExitCode.USAGE)


def test_it_is_refused_by_what_it_names(hostile: Path, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["hostile"]
    with pytest.raises(BootimgError, match="image-references-other-file") as caught:
        open_image(hostile)
    said = HOSTILE[name][1].format(secret=hostile.with_name("secret"))
    assert said in " ".join([caught.value.message, *caught.value.context])


def test_every_command_refuses_it(hostile: Path) -> None:
    cache = ["--cache", hostile.with_name("cache"), "--accel", "tcg"]
    for words in (["inspect"], ["verify"]):
        refused(*words, *cache[:2], hostile)
    for words in ([], ["--write"], ["--kargs", "a"], ["--ssh=true"], ["--network", "host"]):
        refused("run", *words, *cache, "--", hostile)


def test_every_command_refuses_it_compressed(hostile: Path) -> None:
    packed = hostile.with_name("packed.gz")
    packed.write_bytes(gzip.compress(hostile.read_bytes(), 1))
    cache = ["--cache", hostile.with_name("cache")]
    for words in (["inspect"], ["verify"], ["run", "--accel", "tcg"]):
        refused(*words, *cache, packed)
    assert list((hostile.with_name("cache") / "tmp").iterdir()) == []


def test_a_build_with_such_an_image_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For one image of many: all readers are those of the tests above."""
    (tmp_path / "secret").write_bytes(SECRET)
    image = HOSTILE["backing file"][0](tmp_path).read_bytes()
    folder = make(tmp_path / "made")
    builds, packed = folder.parents[1], gzip.compress(image, 1)
    change_image(folder, "metal", METAL, packed, **uncompressed(image))
    refused("uncompress", "-o", builds)
    assert (folder / METAL).read_bytes() == packed
    assert not (folder / METAL.removesuffix(".gz")).exists()
    refuses_to_start_from(folder, tmp_path)

    plain = METAL.removesuffix(".gz")
    change_image(folder, "metal", plain, image)
    refused("compress", "-o", builds)
    refuses_to_start_from(folder, tmp_path)
    verifier = Verifier(Cache(tmp_path / "cache"), Events(), RegistryOptions(), Purity.ERROR, ())
    build = Build("1", X86, folder, {"images": {"metal": {"path": plain, "sha256": "0" * 64}}})
    with pytest.raises(BootimgError, match="image-references-other-file"):
        list(verifier.opened(build))


def change_image(folder: Path, key: str, name: str, data: bytes, **more: object) -> None:
    (folder / name).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    with open_build(folder.parents[1], folder.parent.name, X86) as build:
        build.replace_image(key, {"path": name, "sha256": digest, "size": len(data), **more})


def refuses_to_start_from(folder: Path, tmp_path: Path) -> None:
    """`build --from` takes the metal image for the base disk."""
    source = Build(folder.parent.name, X86, folder, json.loads((folder / "meta.json").read_text()))
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    work = SimpleNamespace(
        request=SimpleNamespace(source=source, limits=DEFAULT),
        build=SimpleNamespace(scratch=scratch),
        events=Events(),
    )
    with pytest.raises(BootimgError, match="image-references-other-file"):
        base_from_metal(cast(Work, work), 512)
    assert list(scratch.iterdir()) == []


def app(tmp_path: Path) -> Any:  # noqa: ANN401
    from bootimg.cache import Cache

    return SimpleNamespace(cache=Cache(tmp_path / "cache"), events=Events())


@pytest.mark.parametrize("disk_format", ["raw", "qcow2", "vmdk", "vpc", "vhdx"])
def test_our_own_images_open_by_any_name(tmp_path: Path, disk_format: str) -> None:
    raw = make_disk(tmp_path / "raw", 8 * MIB, [(0, MIB), (5 * MIB, 100)])
    write(disk_format, raw, tmp_path / "made")
    assert_opens((tmp_path / "made").rename(tmp_path / "other, name"), raw)


@pytest.mark.parametrize(
    ("disk_format", "options"),
    [
        *(("qcow2", "compat=0.10"), ("qcow2", "compat=1.1,lazy_refcounts=on,extended_l2=on")),
        *(("vmdk", "subformat=monolithicSparse"), ("vmdk", "subformat=streamOptimized")),
        *(("vpc", "subformat=dynamic,force_size=on"), ("vhdx", "subformat=fixed")),
    ],
)
def test_the_images_of_qemu_img_open(tmp_path: Path, disk_format: str, options: str) -> None:
    raw = make_disk(tmp_path / "raw", 8 * MIB, [(0, MIB), (5 * MIB, 100)])
    qemu_img("convert", "-O", disk_format, "-f", "raw", "-o", options, raw, tmp_path / "made")
    assert_opens(tmp_path / "made", raw)


def assert_opens(path: Path, raw: Path) -> None:
    assert whole_disk(open_image(path), path.with_name("back"))[: 8 * MIB] == raw.read_bytes()


def test_a_raw_disk_is_raw_whatever_is_in_it(tmp_path: Path) -> None:
    """QEMU never probes: what a guest wrote into its first sector is data."""
    (tmp_path / "secret").write_bytes(SECRET)
    image = HOSTILE["backing file"][0](tmp_path)
    assert whole_disk(open_image(image, "raw"), tmp_path / "back").startswith(image.read_bytes())


def test_a_node_opens_no_other_file_even_without_the_check(tmp_path: Path) -> None:
    """The image is exchanged after it was looked at."""
    (tmp_path / "secret").write_bytes(SECRET)
    HOSTILE["backing file"][0](tmp_path)
    assert whole_disk(DiskImage(tmp_path / "disk", "qcow2"), tmp_path / "back") == bytes(8 * MIB)
    qemu_img("convert", "-O", "raw", tmp_path / "disk", tmp_path / "followed")
    assert (tmp_path / "followed").read_bytes().startswith(b"a secret")


@pytest.mark.parametrize(
    ("data", "id"),
    [
        (b"QFI\xfb", "image-unreadable"),
        (struct.pack(">4sI", b"QFI\xfb", 9).ljust(512, b"\0"), "image-unreadable"),
        (b"KDMV", "image-unreadable"),
        (b"conectix", "image-unreadable"),
        (b"LUKS\xba\xbe\0\2".ljust(512, b"\0"), "image-format-unsupported"),
        (b"QED\0".ljust(512, b"\0"), "image-format-unsupported"),
    ],
)
def test_headers_that_are_none(tmp_path: Path, data: bytes, id: str) -> None:
    (tmp_path / "disk").write_bytes(data)
    with pytest.raises(BootimgError) as caught:
        open_image(tmp_path / "disk")
    assert (caught.value.id, caught.value.exit_code) == (id, ExitCode.USAGE)


def test_a_name_that_qemu_cannot_be_given(tmp_path: Path) -> None:
    disk = tmp_path / os.fsdecode(b"disk\xff")
    disk.write_bytes(bytes(512))
    with pytest.raises(BootimgError, match=r"image-unreadable: .* is not UTF-8"):
        open_image(disk)


def test_an_encrypted_qcow2(tmp_path: Path) -> None:
    secret = "secret,id=key,data=x"
    # LUKS would time the processor first, and fails where that is disturbed.
    options = "encrypt.format=aes,encrypt.key-secret=key"
    qemu_img("create", "-q", "--object", secret, "-f", "qcow2", "-o", options, tmp_path / "disk", "1M")
    with pytest.raises(BootimgError, match=r"image-format-unsupported: .* is an encrypted qcow2"):
        open_image(tmp_path / "disk")


def test_an_image_that_qemu_img_cannot_read_is_reported_with_its_output(tmp_path: Path) -> None:
    qemu_img("create", "-q", "-f", "qcow2", tmp_path / "disk", "1M")
    data = bytearray((tmp_path / "disk").read_bytes())
    struct.pack_into(">Q", data, 40, 1 << 63)
    (tmp_path / "disk").write_bytes(data)
    with pytest.raises(BootimgError, match="image-unreadable") as caught:
        virtual_size(open_image(tmp_path / "disk"))
    assert any("L1 table" in line for line in caught.value.context)
    assert not any("json:" in line for line in caught.value.context)


# Who may call it, by file: images are opened in vm/diskimage.py.
ALONE = {
    "DiskImage": {"bootimg/vm/diskimage.py", "bootimg/vm/imagetool.py"},
    "require_qemu_img": {"bootimg/vm/imagetool.py", "bootimg/appliance/appliance.py"},
    "find_qemu_img": {"bootimg/vm/qemu.py"},
    "require_system": {
        *("bootimg/vm/guest.py", "bootimg/vm/session.py", "bootimg/vm/probe.py"),
        *("bootimg/appliance/appliance.py", "bootimg/orchestrator/basedisks/layerprograms.py"),
    },
    "add_drive_opts": {"bootimg/appliance/worker.py"},
    "add_drive": {"bootimg/appliance/worker.py"},
}
MACHINE = {"bootimg/vm/machine.py", "bootimg/vm/drives.py"}
# Who may say it: the words of QEMU's programs that name images, and the programs' names.
SAID: dict[object, set[str]] = {
    "-drive": MACHINE,
    "-blockdev": MACHINE,
    "-hda": set(),
    "-cdrom": set(),
    "qemu-img": {"bootimg/vm/qemu.py", "bootimg/doctor/requirements.py"},
    "qemu-io": {"bootimg/vm/imagetool.py", "bootimg/doctor/requirements.py"},
    "qemu-nbd": set(),
    "qemu-storage-daemon": set(),
    "guestfish": set(),
    "nbdkit": set(),
}


def test_images_are_opened_in_one_place() -> None:
    for path in sorted(ROOT.glob("bootimg/**/*.py")):
        source = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                assert source in ALONE.get(called, {source}), f"{source} calls {called}"
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert source in SAID.get(node.value, {source}), f"{source} says {node.value}"


def test_drives_of_the_appliance_have_their_format_given() -> None:
    text = (ROOT / "bootimg/appliance/worker.py").read_text()
    assert text.count("add_drive_opts(") == 1
    assert 'add_drive_opts(\n        drive["path"], format="raw",' in text

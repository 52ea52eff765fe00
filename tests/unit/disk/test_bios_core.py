"""GRUB's core image for the BIOS: its payload and its fields are those that grub-mkimage writes."""

from __future__ import annotations

import lzma
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootimg.disk.bootloaders.bios_grub import bios_images, install_bios_grub
from bootimg.disk.bootloaders.grub import PREFIX, core_modules, early_config
from bootimg.disk.bootloaders.i386pc import pc_core_image
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree
from bootimg.sizes import MIB
from tests.support.arches import pcgrub
from tests.support.arches.grubkernels import Sections, changed
from tests.support.layers import oci
from tests.unit.layer.test_declares import tree_of

GRUB = Path("/usr/lib/grub/i386-pc")
IMAGES = ("boot.img", "diskboot.img", "lzma_decompress.img", "kernel.img")
# What GRUB's decompressor has built in; it takes any distance up to what it has unpacked.
FILTER = {"id": lzma.FILTER_LZMA1, "dict_size": MIB, "lc": 3, "lp": 0, "pb": 2}
needs_mkimage = pytest.mark.skipif(not shutil.which("grub-mkimage"), reason="grub-common is not installed")
needs_grub = pytest.mark.skipif(not (GRUB / "boot.img").exists(), reason="grub-pc-bin is not installed")


@dataclass(frozen=True)
class Core:
    """A core image, taken apart: the first sector and the decompressor, each without its sizes."""

    diskboot: bytes
    decompressor: bytes
    payload: bytes


def taken_apart(core: bytes, decompressor: int) -> Core:
    """The parts; the sizes in the fields are those of what is there."""
    first, rest, packed = core[:512], core[512 : 512 + decompressor], core[512 + decompressor :]
    assert struct.unpack_from("<H", first, 508) == (-(-(len(core) - 512) // 512),)
    size, unpacked = struct.unpack_from("<II", rest, 8)
    assert size == len(packed)
    # The decompressor stops at the size, and looks for no mark of the end.
    payload = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[FILTER]).decompress(packed, unpacked)
    assert len(payload) == unpacked
    return Core(first[:508] + first[510:], rest[:8] + rest[16:], payload)


def by_grub(folder: Path, config: bytes, prefix: str, *modules: str) -> bytes:
    """The core image that this machine's grub-mkimage makes of the files in a folder."""
    (folder / "early.cfg").write_bytes(config)
    argv: list[str | Path] = ["grub-mkimage", "-O", "i386-pc", "-d", folder, "-p", prefix]
    argv += ["-c", folder / "early.cfg", "-o", folder / "core", *modules]
    subprocess.run(argv, check=True)
    return (folder / "core").read_bytes()


def written(folder: Path, **changed: bytes) -> Path:
    """The files of an invented GRUB in a folder."""
    files = {**pcgrub.FILES, **{name.replace("_", "."): data for name, data in changed.items()}}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@needs_mkimage
@pytest.mark.parametrize("length", range(7))
def test_the_payload_and_the_fields_are_those_of_grub_mkimage(length: int, tmp_path: Path) -> None:
    """Whatever the lengths of the parts are: GRUB pads each of them."""
    config, prefix = b"c" * length, "(,gpt3)/" + "p" * (6 - length)
    contents = {"b": b"b" * (length + 5), "a": b"a" * (2 * length)}
    files = {f"{name}_mod": content for name, content in contents.items()}
    folder = written(tmp_path, moddep_lst=b"a: b\nb:\n", **files)
    made = pc_core_image(pcgrub.FILES, [*contents.values()], config=config, prefix=prefix)
    size = len(pcgrub.DECOMPRESSOR)
    assert taken_apart(made, size) == taken_apart(by_grub(folder, config, prefix, "a"), size)


@needs_mkimage
@needs_grub
def test_so_are_those_of_this_machine_s_grub(tmp_path: Path) -> None:
    """Debian's GRUB: its kernel has sections of code, constants and data, and its modules need many others.

    Where it knows no boot entries, an invented module stands for the one that does.
    """
    files = {path.name: path.read_bytes() for path in GRUB.iterdir() if path.is_file()}
    files.setdefault("blsuki.mod", b"blsuki")
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    members = [oci.file(f"{oci.GRUB_MODULES}/{name}", content) for name, content in files.items()]
    layer = tmp_path / "layer"
    layer.mkdir()
    images = bios_images(tree_of(layer, *members, bootloader=False))
    assert images.boot_image == files["boot.img"]
    wanted = core_modules({name.removesuffix(".mod") for name in files})
    theirs, size = (
        by_grub(tmp_path, early_config().encode(), PREFIX, *wanted),
        len(files["lzma_decompress.img"]),
    )
    assert taken_apart(images.core_image, size) == taken_apart(theirs, size)
    assert abs(len(images.core_image) - len(theirs)) < len(theirs) // 50
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(2 * MIB))
    install_bios_grub(disk, boot_image=images.boot_image, core_image=images.core_image, start=MIB, length=MIB)


def test_an_image_that_takes_all_the_memory_is_made_and_a_larger_one_refused() -> None:
    """GRUB's own limit: 0x6f000 bytes behind the first sector."""
    random = pcgrub.noise(0x6F000)
    room = 0x6F000 - len(pcgrub.DECOMPRESSOR)
    small = pc_core_image(pcgrub.FILES, [random[: room - 12_000]], config=b"", prefix="")
    assert len(small) < 512 + 0x6F000
    with pytest.raises(BootimgError, match="cannot be loaded") as caught:
        pc_core_image(pcgrub.FILES, [random[:room]], config=b"", prefix="")
    assert caught.value.id == "grub-image-invalid"


def test_a_payload_that_packs_well_is_limited_too() -> None:
    with pytest.raises(BootimgError, match="more than") as caught:
        pc_core_image(pcgrub.FILES, [bytes(8 * MIB)], config=b"", prefix="")
    assert caught.value.id == "grub-image-invalid"


def kernel(number: int, place: int, value: object) -> bytes:
    return pcgrub.kernel_image(changed(number, place, value))


NO_CODE: Sections = ()


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("kernel.img", b"", "no little-endian ELF"),
        ("kernel.img", b"\x7fELF\1\2\1" + bytes(100), "no little-endian ELF"),
        ("kernel.img", pcgrub.kernel_image()[:18] + b"\x3e\0" + pcgrub.kernel_image()[20:], "not for i386"),
        ("kernel.img", pcgrub.kernel_image()[:-1], "no whole table"),
        ("kernel.img", pcgrub.kernel_image(NO_CODE), "its code in one section"),
        ("kernel.img", pcgrub.kernel_image(first=0x8200), "linked to 0x8200, not to 0x9000"),
        ("kernel.img", kernel(3, 3, 0x5F000), "ends at 0x681a0 in memory"),
        ("kernel.img", kernel(1, 2, -16), "not in the order"),
        ("kernel.img", kernel(3, 3, 0xF0000000), "where no kernel"),
        ("lzma_decompress.img", b"", "has 0 bytes"),
        ("lzma_decompress.img", bytes(0xE01), "has 3585 bytes, and at most 3584"),
        ("diskboot.img", pcgrub.DISKBOOT[:-1], "has 511 bytes, not 512"),
        ("diskboot.img", bytes(512), "to another place"),
        ("boot.img", bytes(512), "no boot sector"),
        ("boot.img", pcgrub.BOOT_IMAGE * 2, "no boot sector"),
        ("moddep.lst", b"boot: normal\nnormal: boot\n", "depends on itself"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused(name: str, content: bytes, what: str, tmp_path: Path) -> None:
    with pytest.raises(BootimgError, match=what) as caught:
        bios_images(layer(tmp_path, {name: content}))
    assert caught.value.id == "grub-image-invalid"


@pytest.mark.parametrize("missing", [*IMAGES, "moddep.lst", "biosdisk.mod", "gettext.mod"])
def test_a_layer_without_a_part_of_it_is_refused(missing: str, tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as caught:
        bios_images(layer(tmp_path, {missing: None}))
    error = caught.value
    assert (error.id, error.exit_code) == ("bootloader-missing", ExitCode.USAGE)
    assert error.context == (f"looked for {missing} in {oci.GRUB_MODULES}",)


def test_a_grub_without_boot_entries_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as caught:
        bios_images(layer(tmp_path, {"blscfg.mod": None}))
    assert caught.value.id == "grub-blscfg-missing"


def test_a_file_that_is_too_large_to_be_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as caught:
        bios_images(layer(tmp_path, {"normal.mod": bytes(MIB + 1)}))
    assert caught.value.id == "layer-file-too-large"


def layer(folder: Path, changes: dict[str, bytes | None]) -> Tree:
    """A layer with an invented GRUB; a file that is None is left out."""
    files = {**pcgrub.FILES, **changes}
    members = [
        oci.file(f"{oci.GRUB_MODULES}/{name}", data) for name, data in files.items() if data is not None
    ]
    return tree_of(folder, *members, bootloader=False)

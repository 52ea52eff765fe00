"""GRUB in a PReP partition: its core image is the one that grub-mkimage makes, and stands in its place."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.disk.base import disk_gpt, refuse_unrealised
from bootimg.disk.bootloaders.bootupd import LayerBootupd
from bootimg.disk.bootloaders.choice import choose_bootloaders, install_bootloaders, require_bootloaders
from bootimg.disk.bootloaders.elf32 import is_program
from bootimg.disk.bootloaders.grub import PREFIX, core_modules, early_config, grub_cfg
from bootimg.disk.bootloaders.grubmodules import with_dependencies
from bootimg.disk.bootloaders.ieee1275 import core_image
from bootimg.disk.bootloaders.prep_grub import PrepGrub, prep_image
from bootimg.disk.bootloaders.prepimage import PrepImage
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import write_gpt
from bootimg.disk.native.obstacle import native_obstacle
from bootimg.disk.native.products.choice import maker_of, products_as_data
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import BiosTarget, Bootupd, Recipe
from bootimg.sizes import MIB
from bootimg.sysroot.entries import Entry
from tests.support.arches import openfirmware
from tests.support.arches.grubkernels import changed
from tests.support.layers import oci
from tests.support.layers.bootupdfiles import bootupd_files
from tests.unit.disk.test_bootloaders import installation, recipe
from tests.unit.layer.test_declares import tree_of

PPC64LE = Arch.PPC64LE
METADATA = b'{"timestamp":"2026-01-02T03:04:05Z","version":"grub2-tools-1:2.12-21.el10.ppc64le"}'
BOOTUPD = (
    *(oci.file(path, data) for path, data in bootupd_files("0.3.2").items() if "EFI" not in path),
    oci.file("usr/sbin/grub2-install"),
    oci.file("usr/lib/bootupd/updates/BIOS.json", METADATA),
)
needs_mkimage = pytest.mark.skipif(not shutil.which("grub-mkimage"), reason="grub-common is not installed")


@pytest.fixture
def found() -> Recipe:
    return recipe(PPC64LE)


def layer(folder: Path, *more: oci.Member, **changed: bytes | None) -> Tree:
    return tree_of(folder, *openfirmware.files(**changed), *more, bootloader=False)


def kernel_for_grub(folder: Path) -> bytes:
    """A kernel.img, also in the folder, that is linked to the address that this machine's GRUB knows."""
    for address in openfirmware.LINK_ADDRESSES:
        kernel = openfirmware.kernel_image(first=address)
        (folder / "kernel.img").write_bytes(kernel)
        argv: list[str | Path] = ["grub-mkimage", "-O", "powerpc-ieee1275", "-d", folder, "-p", ""]
        argv += ["-o", folder / "tried"]
        if subprocess.run(argv, capture_output=True).returncode == 0:
            return kernel
    raise AssertionError("grub-mkimage accepts no kernel")


def by_grub(folder: Path, config: bytes, prefix: str, *modules: str) -> bytes:
    """The core image that this machine's grub-mkimage makes of the modules in a folder."""
    (folder / "early.cfg").write_bytes(config)
    argv: list[str | Path] = ["grub-mkimage", "-O", "powerpc-ieee1275", "-d", folder, "-p", prefix]
    argv += ["-c", folder / "early.cfg", "-o", folder / "core", *modules]
    subprocess.run(argv, check=True)
    return (folder / "core").read_bytes()


@needs_mkimage
@pytest.mark.parametrize("length", range(7))
def test_the_image_is_the_one_of_grub_mkimage(length: int, tmp_path: Path) -> None:
    """Whatever the lengths of the parts are: GRUB pads each of them."""
    config, prefix = b"c" * length, "(,gpt3)/" + "p" * (6 - length)
    (tmp_path / "moddep.lst").write_text("a: b\nb:\n")
    contents = {"b": b"b" * (length + 5), "a": b"a" * (2 * length)}
    for name, content in contents.items():
        (tmp_path / f"{name}.mod").write_bytes(content)
    kernel = kernel_for_grub(tmp_path)
    made = core_image(kernel, [*contents.values()], config=config, prefix=prefix)
    assert made == by_grub(tmp_path, config, prefix, "a")


@needs_mkimage
def test_a_layer_s_image_is_the_one_of_grub_mkimage(tmp_path: Path) -> None:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "moddep.lst").touch()
    tools = layer(tmp_path, kernel_img=kernel_for_grub(folder))
    for name in tools.listdir(openfirmware.MODULES):
        (folder / name).write_bytes(tools.read(f"{openfirmware.MODULES}/{name}"))
    wanted = core_modules({"blsuki"}, drivers=())
    assert prep_image(tools).image == by_grub(folder, early_config().encode(), PREFIX, *wanted)


def test_needs_come_first_and_the_last_named_before_the_others() -> None:
    listed = "normal: boot net gettext\nnet: gettext\nboot:\nnormal: net terminal\n"
    assert with_dependencies(["boot", "normal", "boot"], listed) == (
        "boot",
        "terminal",
        "gettext",
        "net",
        "normal",
    )


@pytest.mark.parametrize("listed", ["a: a\n", "a: b\nb: c\nc: b\n"])
def test_modules_that_need_each_other_are_refused(listed: str) -> None:
    with pytest.raises(BootimgError, match="depends on itself") as caught:
        with_dependencies(["a"], listed)
    assert caught.value.id == "grub-image-invalid"


def test_a_long_chain_of_needs_ends() -> None:
    listed = "".join(f"m{number}: m{number + 1}\n" for number in range(5000))
    assert with_dependencies(["m0"], listed)[0] == "m5000"


def changed_kernel(number: int, place: int, value: object) -> bytes:
    return openfirmware.kernel_image(changed(number, place, value))


@pytest.mark.parametrize(
    ("kernel", "what"),
    [
        (b"", "no big-endian ELF"),
        (b"\x7fELF\2\1\1" + bytes(100), "no big-endian ELF"),
        (openfirmware.kernel_image()[:18] + b"\0\x3e" + openfirmware.kernel_image()[20:], "not for PowerPC"),
        (openfirmware.kernel_image()[:-1], "no whole table"),
        (openfirmware.kernel_image([]), "its code in one section"),
        (changed_kernel(1, 1, 6), "its code in one section"),
        (openfirmware.kernel_image(first=0xF0000000), "where no kernel"),
        (changed_kernel(2, 2, 0x10000000), "where no kernel"),
        (changed_kernel(3, 3, 0xF0000000), "where no kernel"),
        (changed_kernel(0, 4, 0x80000000), "aligned as no kernel"),
        (changed_kernel(1, 2, -16), "not in the order"),
        (changed_kernel(1, 2, 0x200), "not in the order"),
    ],
)  # fmt: skip
def test_a_kernel_that_is_none_is_refused(kernel: bytes, what: str) -> None:
    with pytest.raises(BootimgError, match=what) as caught:
        core_image(kernel, [], config=b"", prefix="")
    assert caught.value.id == "grub-image-invalid"


@pytest.mark.parametrize("missing", ["kernel.img", "moddep.lst", "ext2.mod", "gettext.mod"])
def test_a_layer_without_a_part_of_it_is_refused(missing: str, found: Recipe, tmp_path: Path) -> None:
    tools = layer(tmp_path, **{missing.replace(".", "_"): None})
    with pytest.raises(BootimgError) as caught:
        require_bootloaders(found, PPC64LE, tools)
    error = caught.value
    assert (error.id, error.exit_code) == ("bootloader-missing", ExitCode.USAGE)
    assert error.context == (f"looked for {missing} in {openfirmware.MODULES}",)
    require_bootloaders(replace(found, bootloader=None), PPC64LE, tools)


def test_a_grub_without_boot_entries_is_refused(found: Recipe, tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as caught:
        require_bootloaders(found, PPC64LE, layer(tmp_path, blsuki_mod=None))
    assert caught.value.id == "grub-blscfg-missing"


def test_it_is_placed_with_zeros_behind_it(found: Recipe, tmp_path: Path) -> None:
    disk, gpt, image = tmp_path / "disk", disk_gpt(found.disk, "sha256:0"), prep_image(layer(tmp_path))
    write_gpt(disk, gpt)
    with disk.open("r+b") as file:
        file.seek(MIB)
        file.write(b"\xff" * 5 * MIB)
    image.place(disk, gpt)
    with FileSource(disk) as source:
        assert is_program(source.read(MIB, 512))
        assert source.read(MIB, 4 * MIB) == image.image.ljust(4 * MIB, b"\0")
        assert source.read(5 * MIB, MIB) == b"\xff" * MIB


def test_an_image_that_does_not_fit_is_refused(found: Recipe, tmp_path: Path) -> None:
    gpt = disk_gpt(found.disk, "sha256:0")
    write_gpt(tmp_path / "disk", gpt)
    with pytest.raises(BootimgError, match="does not fit") as caught:
        PrepImage(bytes(4 * MIB + 1)).place(tmp_path / "disk", gpt)
    assert caught.value.id == "grub-image-invalid"


def test_the_recipe_needs_neither_a_virtual_machine_nor_a_program(found: Recipe, tmp_path: Path) -> None:
    assert native_obstacle(found, PPC64LE) is None
    for number, more in enumerate(((), BOOTUPD)):
        (tmp_path / str(number)).mkdir()
        tools = layer(tmp_path / str(number), *more)
        assert maker_of(found, tools, PPC64LE) is None
        refuse_unrealised(found, choose_bootloaders(PPC64LE, tools))
        require_bootloaders(found, PPC64LE, tools)


def test_what_it_cannot_do_is_refused(found: Recipe) -> None:
    other = replace(found, bootloader=Bootupd(True, BiosTarget(3)))
    loose = replace(found, bootloader=Bootupd(False, BiosTarget(1)))
    for bad, each, what in (
        (other, PrepGrub(), "bios without the partition PReP"),
        (loose, PrepGrub(), "bios without static-configs"),
        (other, LayerBootupd(), "bios.partition"),
    ):
        with pytest.raises(BootimgError) as caught:
            refuse_unrealised(bad, (each,))
        assert caught.value.context == (f"the recipe: org.osbuild.bootupd: {what}",)
    assert "BIOS boot partition" in (native_obstacle(other, PPC64LE) or "")


def test_in_the_appliance_the_modules_are_copied(found: Recipe, tmp_path: Path) -> None:
    tools = layer(tmp_path)
    made, vm = installation(tools, arch=PPC64LE)
    placements = install_bootloaders(choose_bootloaders(PPC64LE, tools), made)
    assert placements == [prep_image(tools)]
    assert vm.files == {"/sysroot/boot/grub2/grub.cfg": grub_cfg().encode()}
    [copied] = [call for call in vm.calls if call.startswith("cp ")]
    assert copied.endswith(" /sysroot/boot/grub2/powerpc-ieee1275")
    assert f"/{openfirmware.MODULES}/ext2.mod" in copied
    assert "kernel.img" not in copied


def test_bootupd_is_told_the_partition_in_the_appliance(tmp_path: Path) -> None:
    made, vm = installation(layer(tmp_path, *BOOTUPD), arch=PPC64LE)
    LayerBootupd().install(made)
    assert vm.calls[0] == "bootupctl backend install --device=/dev/disk1 --with-static-configs /sysroot"


def as_data(found: Recipe, tools: Tree, folder: Path) -> dict[str, Entry]:
    """What bootupd leaves in /boot, by path."""
    products = products_as_data(found, tools, PPC64LE, folder)
    assert products is not None
    assert products.code == prep_image(tools)
    return {each.path.decode(): each for each in products.boot}


def test_what_bootupd_leaves_is_data_on_every_machine(
    found: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = layer(tmp_path, *BOOTUPD)
    assert products_as_data(found, layer_without_bootupd(tmp_path), PPC64LE, tmp_path) is None
    written = as_data(found, tools, tmp_path)
    assert {path: oct(each.mode) for path, each in written.items()} == {
        "bootupd-state.json": "0o644",
        "grub2": "0o755",
        "grub2/grub.cfg": "0o600",
        "grub2/grubenv": "0o600",
    }
    assert b"### BEGIN 10_blscfg.cfg ###\nblscfg\n" in content(written["grub2/grub.cfg"])
    assert json.loads(content(written["bootupd-state.json"])) == {
        "installed": {
            "BIOS": {
                "meta": {**json.loads(METADATA), "versions": None, "default-bootloader": None},
                "filetree": None,
                "adopted-from": None,
            }
        },
        "pending": None,
        "static-configs": {
            "timestamp": "2023-11-14T22:13:20Z",
            "version": "0.3.2",
            "versions": None,
            "default-bootloader": None,
        },
    }
    monkeypatch.setattr(Arch, "of_machine", lambda: PPC64LE)
    assert as_data(found, tools, tmp_path) == written
    assert found.bootloader is not None
    loose = replace(found, bootloader=replace(found.bootloader, static_configs=False))
    assert [*as_data(loose, tools, tmp_path)] == ["bootupd-state.json", "grub2", "grub2/grubenv"]


def layer_without_bootupd(folder: Path) -> Tree:
    (folder / "other").mkdir()
    return layer(folder / "other")


def content(entry: Entry) -> bytes:
    assert isinstance(entry.content, bytes)
    return entry.content


@pytest.mark.skipif(not shutil.which("grub-editenv"), reason="grub-common is not installed")
def test_the_environment_is_the_one_of_grub_editenv(found: Recipe, tmp_path: Path) -> None:
    subprocess.run(["grub-editenv", tmp_path / "grubenv", "create"], check=True)
    written = as_data(found, layer(tmp_path, *BOOTUPD), tmp_path)
    assert content(written["grub2/grubenv"]) == (tmp_path / "grubenv").read_bytes()


@pytest.mark.parametrize("missing", ["usr/lib/bootupd/updates/BIOS.json", "usr/sbin/grub2-install"])
def test_a_layer_whose_bootupd_would_install_nothing_is_refused(
    missing: str, found: Recipe, tmp_path: Path
) -> None:
    tools = layer(tmp_path, *(each for each in BOOTUPD if each[0].name != missing))
    with pytest.raises(BootimgError, match=missing) as caught:
        require_bootloaders(found, PPC64LE, tools)
    assert caught.value.id == "bootloader-missing"


def test_metadata_that_is_no_json_is_refused(found: Recipe, tmp_path: Path) -> None:
    damaged = oci.file("usr/lib/bootupd/updates/BIOS.json", b"{")
    tools = layer(tmp_path, *(damaged if each[0].name == damaged[0].name else each for each in BOOTUPD))
    with pytest.raises(BootimgError) as caught:
        products_as_data(found, tools, PPC64LE, tmp_path)
    assert caught.value.id == "arch-build-unsupported"
    assert "BIOS.json" in caught.value.context[0]

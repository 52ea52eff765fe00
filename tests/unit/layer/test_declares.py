"""What a layer declares of its disk and its installation: followed, or refused by name."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.declared import require_declared
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.layer.declared.diskyaml import read_disk_yaml
from bootimg.layer.declared.installconfig import InstallConfig, read_install_config
from bootimg.layer.declared.kargsd import read_kargs_d
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import Tree, open_tree
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipes
from bootimg.manifest.recipe import Recipe
from tests.support.layers import oci
from tests.support.layers.manifests import rendered

INSTALL, DISK = "usr/lib/bootc/install", "usr/lib/image-builder/bootc"
KARGS = "usr/lib/bootc/kargs.d"
# The disk of CoreOS on x86_64 in image-builder's words.
DECLARED: dict[str, Any] = {
    "mount_configuration": "none",
    "partition_table": {
        "type": "gpt",
        "uuid": "00000000-0000-4000-a000-000000000001",
        "extra_padding": 1031168,
        "partitions": [
            {
                "size": "1 MiB",
                "type": "21686148-6449-6E6F-744E-656564454649",
                "bootable": True,
                "label": "BIOS-BOOT",
            },
            {
                "size": "127 MiB",
                "type": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
                "label": "EFI-SYSTEM",
                "payload_type": "filesystem",
                "payload": {
                    "type": "vfat",
                    "uuid": "7B77-95E7",
                    "label": "EFI-SYSTEM",
                    "mountpoint": "/boot/efi",
                    "fstab_options": "defaults",
                },
            },
            {
                "size": 384 << 20,
                "type": "bc13c2ff-59e6-4262-a352-b275fd6f7172",
                "label": "boot",
                "payload_type": "filesystem",
                "payload": {
                    "type": "ext4",
                    "uuid": "96d15588-3596-4b3c-adca-a2ff7279ea63",
                    "label": "boot",
                    "mountpoint": "/boot",
                },
            },
            {
                "size": "1 GiB",
                "type": "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
                "label": "root",
                "payload_type": "filesystem",
                "payload": {
                    "type": "xfs",
                    "uuid": "910678ff-f77e-4a7d-8d53-86f2ac47a823",
                    "label": "root",
                    "mountpoint": "/",
                    "mkfs_options": {"agcount": 2},
                },
            },
        ],
    },
}


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return read_recipes(Manifest.from_json(rendered()))[512]


def tree_of(tmp_path: Path, *files: oci.Member, bootloader: bool = True) -> Tree:
    layout = oci.Layout(tmp_path / "image")
    layout.add([oci.bootable(*files, bootloader=bootloader)])
    cache = Cache(tmp_path / "cache")
    return open_tree(fetch(str(layout.path), arch=Arch.X86_64, cache=cache, events=Events()), cache, Events())


def config_of(tmp_path: Path, *files: tuple[str, str]) -> InstallConfig:
    members = [oci.file(path, text.encode()) for path, text in files]
    return read_install_config(tree_of(tmp_path, *members), Arch.X86_64)


def check(tmp_path: Path, declared: object, recipe: Recipe, name: str = "disk.yaml") -> None:
    text = declared if isinstance(declared, bytes) else yaml.safe_dump(declared).encode()
    found = read_disk_yaml(tree_of(tmp_path, oci.file(f"{DISK}/{name}", text)), Arch.X86_64)
    assert found
    require_declared(found, recipe)


def test_a_layer_that_declares_nothing(tmp_path: Path) -> None:
    tree = tree_of(tmp_path)
    assert read_install_config(tree, Arch.X86_64) == InstallConfig()
    assert read_disk_yaml(tree, Arch.X86_64) is None


def test_the_files_of_fedora_coreos_are_read(tmp_path: Path) -> None:
    assert config_of(
        tmp_path,
        (f"{INSTALL}/10-boot.toml", "[install.bootupd]\nskip-boot-uuid = true\n"
         '[install]\nroot-mount-spec = ""\nboot-mount-spec = ""\n'),
        (f"{INSTALL}/10-grub-bls-append.toml",
         "[install.ostree]\nbls-append-except-default = 'grub_users=\"\"'\n"),
        (f"{INSTALL}/12-root-filesystem.toml", '[install.filesystem.root]\ntype = "xfs"\n'),
        (f"{INSTALL}/15-ostree.toml", "[install]\nenforce-container-sigpolicy = true\n"),
        (f"{INSTALL}/README", "not TOML"),
    ) == InstallConfig(
        root_type="xfs",
        root_mount_spec="",
        boot_mount_spec="",
        skip_boot_uuid=True,
        bls_append_except_default='grub_users=""',
        enforce_sigpolicy=True,
    )  # fmt: skip


def test_files_are_merged_by_name_and_replaced_by_folder(tmp_path: Path) -> None:
    found = config_of(
        tmp_path,
        (f"{INSTALL}/10-a.toml", '[install]\nstateroot = "a"\nkargs = ["a"]\n'),
        (f"{INSTALL}/20-b.toml", '[install]\nstateroot = "b"\nkargs = ["b"]\nblock = ["direct"]\n'),
        (f"{INSTALL}/30-c.toml", '[install]\nstateroot = "c"\n'),
        ("etc/bootc/install/30-c.toml", '[install]\nkargs = ["c"]\n'),
        (f"{INSTALL}/40-d.toml", '[install]\nmatch-architectures = ["s390x"]\nkargs = ["zipl"]\n'),
    )
    assert (found.stateroot, found.kargs) == ("b", ("a", "b", "c"))


@pytest.mark.parametrize(
    "text",
    [
        "install = 1",
        "[install",
        "[other]\nkey = 1",
        "[install]\nunknown = 1",
        "[install.filesystem.root]\nunknown = 1",
        "[install]\nkargs = 'quiet'",
        "[install]\nkargs = [1]",
        "[install.bootupd]\nskip-boot-uuid = 1",
        '[install.filesystem.root]\ntype = "btrfs"',
        '[install]\nroot-fs-type = "ext4"',
        '[install]\nbootloader = "systemd"',
        "[install]\nmatch-architectures = 5",
        '[install]\nmatch_architectures = ["x86_64"]',
        '[install.filesystem.root]\ntype = "ext4"\n[install]\nroot-fs-type = "xfs"',
        '[install]\nmatch-architectures = "x86_64"',
        f"[install]\nunknown = 0x{'f' * 5000}",
        f"install.{'.'.join('a' * 5000)} = 1",
        f"install = {'[' * 5000}",
        f"# {'x' * (16 << 10)}",
    ],
    ids=range(19),
)
def test_what_would_be_another_disk_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as error:
        config_of(tmp_path, (f"{INSTALL}/10-own.toml", text))
    assert (error.value.id, error.value.exit_code) == ("install-config-unsupported", ExitCode.USAGE)


def installed(tmp_path: Path, *members: oci.Member, arch: Arch = Arch.X86_64) -> tuple[str, ...]:
    return read_install_config(tree_of(tmp_path, *members), arch).kargs


def kargs(*words: str, arches: str = "") -> bytes:
    match = f"match-architectures = {arches}\n" if arches else ""
    return f"[install]\n{match}kargs = {list(words)}\n".encode()


def test_a_link_to_dev_null_masks_a_file_of_an_earlier_folder_alone(tmp_path: Path) -> None:
    assert installed(
        tmp_path,
        oci.file(f"{INSTALL}/10-a.toml", kargs("masked")),
        oci.symlink("etc/bootc/install/10-a.toml", "/dev/null"),
        oci.symlink(f"{INSTALL}/20-b.toml", "/dev/null"),
        oci.file("etc/bootc/install/20-b.toml", kargs("b")),
    ) == ("b",)


def test_what_bootc_passes_over_is_passed_over(tmp_path: Path) -> None:
    assert installed(
        tmp_path,
        oci.file(f"{INSTALL}/.10-a.toml", b"no TOML"),
        oci.file(f"{INSTALL}/.toml", b"no TOML"),
        oci.file(f"{INSTALL}/real", kargs("linked")),
        oci.symlink(f"{INSTALL}/20-b.toml", "real"),
        oci.folder(f"{INSTALL}/30-c.toml"),
        oci.file(f"{INSTALL}/40-d.toml", kargs("d")),
    ) == ("d",)


@pytest.mark.parametrize(
    ("arch", "name"),
    [(Arch.X86_64, "x86_64"), (Arch.AARCH64, "aarch64"), (Arch.PPC64LE, "powerpc64"), (Arch.S390X, "s390x")],
)
def test_architectures_are_called_as_bootc_calls_them(arch: Arch, name: str, tmp_path: Path) -> None:
    for folder, text in ((INSTALL, kargs("a", arches=f"['{name}']")), (KARGS, b"kargs = ['a']")):
        tree = tree_of(tmp_path / folder, oci.file(f"{folder}/1.toml", text))
        found = {each: read_kargs(tree, each) for each in Arch}
        expected = {each: ("a",) if folder == KARGS or each is arch else () for each in Arch}
        assert found == expected
    tree = tree_of(tmp_path / "x", oci.file(f"{KARGS}/1.toml", kargs("a", arches=f"['{name}']")[10:]))
    assert {each for each in Arch if read_kargs_d(tree, each)} == {arch}
    assert not installed(tmp_path / "y", oci.file(f"{INSTALL}/1.toml", kargs("a", arches="['ppc64le']")))


def read_kargs(tree: Tree, arch: Arch) -> tuple[str, ...]:
    return (*read_install_config(tree, arch).kargs, *read_kargs_d(tree, arch))


def test_kargs_d_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    tree = tree_of(
        tmp_path,
        oci.file(f"{KARGS}/20-b.toml", b'kargs = ["b=1 c"]'),
        oci.file(f"{KARGS}/10-a.toml", b'kargs = ["a"]'),
        oci.file(f"{KARGS}/30-s390x.toml", b'kargs = ["zipl"]\nmatch-architectures = ["s390x"]'),
        oci.file(f"{KARGS}/.40-hidden.toml", b'kargs = ["d"]'),
        oci.file(f"{KARGS}/.toml", b"no TOML"),
        oci.file(f"{KARGS}/README", b"no TOML"),
    )
    assert read_kargs_d(tree, Arch.X86_64) == ("d", "a", "b=1", "c")
    assert read_kargs_d(tree, Arch.S390X) == ("d", "a", "b=1", "c", "zipl")


@pytest.mark.parametrize(
    "member",
    [
        oci.file(f"{KARGS}/1.toml", b""),
        oci.file(f"{KARGS}/1.toml", b"kargs ="),
        oci.file(f"{KARGS}/1.toml", b"kargs = 'a'"),
        oci.file(f"{KARGS}/1.toml", b"kargs = [1]"),
        oci.file(f"{KARGS}/1.toml", b"match-architectures = ['x86_64']"),
        oci.file(f"{KARGS}/1.toml", b"kargs = []\nmatch-architectures = 'x86_64'"),
        oci.file(f"{KARGS}/1.toml", b"kargs = []\nmatch_architectures = ['x86_64']"),
        oci.file(f"{KARGS}/1.toml", b"[install]\nkargs = []"),
        oci.file(f"{KARGS}/1.toml", b"kargs = []\n[more]"),
        oci.file(f"{KARGS}/1.toml", b"kargs = ['\xff']"),
        oci.file(f"{KARGS}/1.toml", b"#" * (17 << 10)),
        oci.symlink(f"{KARGS}/1.toml", "/dev/null"),
        oci.symlink(f"{KARGS}/1.toml", "real"),
        oci.folder(f"{KARGS}/1.toml"),
    ],
    ids=range(14),
)
def test_what_bootc_would_not_read_of_kargs_d_is_refused(member: oci.Member, tmp_path: Path) -> None:
    tree = tree_of(tmp_path, oci.file(f"{KARGS}/real", b"kargs = []"), member)
    with pytest.raises(BootimgError) as error:
        read_kargs_d(tree, Arch.X86_64)
    assert (error.value.id, error.value.exit_code) == ("kargs-file-malformed", ExitCode.USAGE)
    assert f"/{KARGS}/1.toml" in error.value.context[0]


def bomb(form: str, innermost: str) -> str:
    """YAML of a kilobyte that says 9¹² values: each line has the one before nine times."""
    lines = []
    for number in range(13):
        content = ", ".join([f"*a{number - 1}"] * 9) if number else innermost
        lines.append(f"a{number}: &a{number} {form.format(content)}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        "partition_table: 2026-99-99",
        "partition_table: !!timestamp never",
        "partition_table: !!bool never",
        "partition_table: !!int ''",
        "partition_table: !!float ''",
        f"partition_table: 0x{'f' * 5000}",
        f"mount_configuration: 0x{'f' * 5000}",
        bomb("[{}]", "x"),
        bomb("{{<<: [{}]}}", "{x: 1}"),
        "a: &a [*a]",
        "[" * 5000,
        "[]," * 100_000,
    ],
    ids=range(12),
)
def test_yaml_that_brings_parsers_down_is_refused(text: str, tmp_path: Path, recipe: Recipe) -> None:
    with pytest.raises(BootimgError) as error:
        check(tmp_path, text.encode(), recipe)
    assert error.value.id == "disk-layout-unsupported"
    assert len("".join(error.value.context)) < 1000


@pytest.mark.parametrize(
    "change",
    [
        {"attrs": 5},
        {"attrs": ["x"]},
        {"size": -1},
        {"size": 1 << 70},
        {"size": "9" * 5000},
        {"size": "\u0661"},
    ],
    ids=range(6),
)
def test_values_of_another_kind_are_refused(
    change: dict[str, object], tmp_path: Path, recipe: Recipe
) -> None:
    declared = copy.deepcopy(DECLARED)
    declared["partition_table"]["partitions"][0] |= change
    with pytest.raises(BootimgError) as error:
        check(tmp_path, declared, recipe)
    assert error.value.id == "disk-layout-unsupported"


@pytest.mark.parametrize("agcount", ["2", [2], -1, True, 1 << 70], ids=str)
def test_a_number_of_allocation_groups_that_is_none_is_refused(
    agcount: object, tmp_path: Path, recipe: Recipe
) -> None:
    declared = copy.deepcopy(DECLARED)
    declared["partition_table"]["partitions"][3]["payload"]["mkfs_options"] = {"agcount": agcount}
    with pytest.raises(BootimgError) as error:
        check(tmp_path, declared, recipe)
    assert error.value.id == "disk-layout-unsupported"


def test_aliases_work(tmp_path: Path, recipe: Recipe) -> None:
    declared = copy.deepcopy(DECLARED)
    first, *_ = declared["partition_table"]["partitions"]
    # Of one object in two places PyYAML makes an anchor and an alias.
    declared["partition_table"]["partitions"].append(first)
    text = yaml.safe_dump(declared)
    assert "*id001" in text
    with pytest.raises(BootimgError) as error:
        check(tmp_path, text.encode(), recipe)
    assert "it has 5 partitions, the recipe 4" in error.value.context[0]


@pytest.mark.parametrize("name", ["disk.yaml", "x86_64.yaml"])
def test_the_disk_of_coreos_is_the_recipe_s(name: str, tmp_path: Path, recipe: Recipe) -> None:
    check(tmp_path, DECLARED, recipe, name)


def test_a_link_to_the_architecture_s_file_is_followed(tmp_path: Path, recipe: Recipe) -> None:
    tree = tree_of(
        tmp_path,
        oci.file(f"{DISK}/x86_64.yaml", yaml.safe_dump(DECLARED).encode()),
        oci.symlink(f"{DISK}/disk.yaml", "x86_64.yaml"),
    )
    found = read_disk_yaml(tree, Arch.X86_64)
    assert found
    require_declared(found, recipe)


def part(number: int, key: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["partition_table"]["partitions"][number - 1][key] = value

    return change


def payload(number: int, key: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["partition_table"]["partitions"][number - 1]["payload"][key] = value

    return change


def table(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["partition_table"][key] = value

    return change


def top(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document[key] = value

    return change


CHANGES = {
    "another size of /boot": part(3, "size", "512 MiB"),
    "a smaller ESP": part(2, "size", 1 << 20),
    "a larger root": part(4, "size", "4 TiB"),
    "a size that is none": part(1, "size", "many"),
    "a type": part(4, "type", "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
    "a label": part(4, "label", "other"),
    "a GUID": part(4, "uuid", "6264D520-3FB9-423F-8AB8-7A0A8E3D3562"),
    "not bootable": part(1, "bootable", False),
    "attributes": part(4, "attrs", [59]),
    "an unknown key of a partition": part(4, "grow", True),
    "LVM": part(4, "payload_type", "lvm"),
    "a file system where there is none": part(1, "payload_type", "filesystem"),
    "btrfs": payload(4, "type", "btrfs"),
    "another UUID of the root": payload(4, "uuid", "6264d520-3fb9-423f-8ab8-7a0a8e3d3562"),
    "another label of /boot": payload(3, "label", "other"),
    "another mount point": payload(3, "mountpoint", "/srv"),
    "another agcount": payload(4, "mkfs_options", {"agcount": 4}),
    "verity": payload(3, "mkfs_options", {"verity": True}),
    "an unknown key of a file system": payload(3, "compression", "zstd"),
    "a disk GUID": table("uuid", "6264d520-3fb9-423f-8ab8-7a0a8e3d3562"),
    "more padding than there is": table("extra_padding", 2 << 20),
    "an MBR": table("type", "dos"),
    "large sectors": table("sector_size", 4096),
    "a partition less": table("partitions", DECLARED["partition_table"]["partitions"][:3]),
    "no partitions": table("partitions", []),
    "a start": table("start_offset", "8 MiB"),
    "mount units": top("mount_configuration", "units"),
    "an unknown key": top("blueprint", {}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_disk_is_refused(name: str, tmp_path: Path, recipe: Recipe) -> None:
    changed = copy.deepcopy(DECLARED)
    CHANGES[name](changed)
    with pytest.raises(BootimgError) as error:
        check(tmp_path, changed, recipe)
    assert (error.value.id, error.value.exit_code) == ("disk-layout-unsupported", ExitCode.USAGE)


@pytest.mark.parametrize("data", [b"", b"[]", b"a: [", b"\xff\xfe\xff", b"mount_configuration: none"])
def test_what_is_no_declaration_is_refused(data: bytes, tmp_path: Path, recipe: Recipe) -> None:
    with pytest.raises(BootimgError) as error:
        check(tmp_path, data, recipe)
    assert error.value.id == "disk-layout-unsupported"


def test_without_mount_configuration_image_builder_would_write_mounts(tmp_path: Path, recipe: Recipe) -> None:
    changed = {"partition_table": DECLARED["partition_table"]}
    with pytest.raises(BootimgError) as error:
        check(tmp_path, changed, recipe)
    assert "units (the default)" in error.value.context[0]

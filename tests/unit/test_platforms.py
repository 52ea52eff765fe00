"""The platforms: the table that the ecosystem relies on, and plugins of others beside it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.declared.platformsjson import parse_platforms_json
from bootimg.orchestrator.refusals import refuse_unmade
from bootimg.platform import Console, DiskSize, Packaging, platform, platforms
from bootimg.sizes import GIB, MIB
from bootimg.targets import LIVE, image_of

ROOT = Path(__file__).parents[2]
X, A, P, S = Arch.X86_64, Arch.AARCH64, Arch.PPC64LE, Arch.S390X
ALL = {X, A, P, S}
PLAIN = ("qcow2", {"compat": "1.1", "compression": False})
VHD = ("vpc", {"subformat": "fixed", "force_size": True})
STREAM = {"subformat": "streamOptimized", "compression": True}
VMDK = ("vmdk", STREAM | {"adapter_type": "lsilogic", "compat6": True})
RAW: tuple[str, dict[str, Any]] = ("raw", {})
LAYER, METAL = DiskSize.LAYER, DiskSize.METAL
# coreos-assembler's: suffix, format and options, size, architectures, whether `compress` leaves it alone.
TABLE: dict[str, tuple[str, tuple[str, dict[str, Any]], DiskSize | int, set[Arch], bool]] = {
    "aliyun": ("qcow2", PLAIN, LAYER, {X}, False),
    "applehv": ("raw", RAW, LAYER, {X, A}, False),
    "aws": ("vmdk", VMDK, LAYER, {X, A}, False),
    "azure": ("vhd", VHD, LAYER, {X, A}, False),
    "azurestack": ("vhd", VHD, LAYER, {X}, False),
    "digitalocean": ("qcow2", PLAIN, LAYER, {X}, False),
    "exoscale": ("qcow2", PLAIN, LAYER, {X}, False),
    "gcp": ("tar.gz", RAW, LAYER, {X, A}, True),
    "hetzner": ("raw", RAW, LAYER, {X, A}, False),
    "hyperv": ("vhdx", ("vhdx", {}), LAYER, {X, A}, False),
    "ibmcloud": ("qcow2", PLAIN, 100, {X, S}, False),
    "kubevirt": ("ociarchive", PLAIN, LAYER, {X, S}, True),
    "metal": ("raw", RAW, METAL, ALL, False),
    "metal4k": ("raw", RAW, METAL, ALL, False),
    "nutanix": ("qcow2", ("qcow2", {"compat": "1.1", "compression": True}), LAYER, {X}, True),
    "nvidiabluefield": ("bfb", ("bfb", {}), LAYER, {A}, True),
    "openstack": ("qcow2", PLAIN, LAYER, ALL, False),
    "oraclecloud": ("qcow2", PLAIN, LAYER, {X, A}, False),
    "powervs": ("ova.gz", RAW, LAYER, {P}, True),
    "proxmoxve": ("qcow2", PLAIN, LAYER, {X}, False),
    "qemu": ("qcow2", PLAIN, LAYER, ALL, False),
    "virtualbox": ("ova", ("vmdk", STREAM), LAYER, {X}, True),
    "vmware": ("ova", VMDK, LAYER, {X}, True),
    "vultr": ("raw", RAW, LAYER, {X}, False),
}
BOTH = ("serial --speed=115200", "terminal_input serial console", "terminal_output serial console")
TO_SERIAL, TO_SCREEN = "console=tty0 console=ttyS0,115200n8", "console=ttyS0,115200n8 console=tty0"
CONSOLES = {
    X: dict.fromkeys(("aws", "gcp", "ibmcloud", "qemu"), (BOTH, TO_SERIAL))
    | dict.fromkeys(("kubevirt", "openstack", "virtualbox", "vmware"), (BOTH, TO_SCREEN))
    | {"azure": ((), TO_SERIAL)},
    A: {
        "aws": (
            ("serial --speed=115200 efi0", "terminal_input serial_efi0", "terminal_output serial_efi0"),
            "console=ttyS0,115200n8",
        ),
        "azure": ((), "console=tty0 console=ttyAMA0,115200n8"),
        "nvidiabluefield": ((), "console=hvc0 console=ttyAMA0 earlycon=pl011,0x13010000"),
        "openstack": (BOTH, "console=ttyAMA0,115200n8 console=tty0"),
        "qemu": (BOTH, ""),
    },
    P: dict.fromkeys(("openstack", "qemu"), ((), "console=hvc0 console=tty0")),
    S: {},
}


def test_there_are_these_platforms() -> None:
    assert set(platforms()) == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_a_platform_is_as_the_ecosystem_knows_it(name: str) -> None:
    found = platforms()[name]
    suffix, (disk_format, options), size, arches, skipped = TABLE[name]
    assert (found.suffix, found.disk_format, dict(found.format_options)) == (suffix, disk_format, options)
    assert (found.size, set(found.arches), found.skip_compression) == (size, arches, skipped)
    assert (found.image_key, found.ignition_id) == (name, "metal" if name == "metal4k" else name)


@pytest.mark.parametrize("arch", Arch)
def test_consoles_are_the_table_s_in_its_order(arch: Arch) -> None:
    found = {
        name: (tuple(each.consoles[arch].grub_commands), " ".join(each.consoles[arch].kernel_arguments))
        for name, each in platforms().items()
        if arch in each.consoles
    }
    assert found == CONSOLES[arch]


def test_native_4k_disks_are_metal_to_the_installer() -> None:
    found = platforms()["metal4k"]
    assert (found.sector_size, found.release_key) == (4096, ("metal", "4k.raw"))
    assert [name for name, each in platforms().items() if each.sector_size != 512] == ["metal4k"]
    assert platforms()["aws"].release_key == ("aws", "vmdk")


def test_sizes_are_what_each_cloud_takes() -> None:
    found = {name: each.size_multiple_mib for name, each in platforms().items()}
    assert found == dict.fromkeys(TABLE, 1) | {"gcp": 1024}
    gcp, azure = platforms()["gcp"], platforms()["azure"]
    assert [gcp.takes_size(size) for size in (GIB, 3 * GIB, 3 * GIB + MIB)] == [True, True, False]
    assert [azure.takes_size(size) for size in (GIB + MIB, GIB + 512)] == [True, False]


@pytest.mark.parametrize(("size", "multiple", "expected"), [
    (DiskSize.LAYER, 1, 4100),
    (DiskSize.LAYER, 1024, 5120),
    (DiskSize.METAL, 1, 2500),
    (DiskSize.METAL, 1024, 3072),
    (3, 1, 3072),
    (3, 2048, 4096),
])  # fmt: skip
def test_every_way_to_a_size_is_rounded_up(size: DiskSize | int, multiple: int, expected: int) -> None:
    own = replace(platforms()["qemu"], size=size, size_multiple_mib=multiple)
    assert own.disk_mib(metal=2500, layer=4100) == expected


def test_packaging() -> None:
    assert {name: each.packaging for name, each in platforms().items() if each.packaging != "none"} == {
        "gcp": Packaging.TAR_GZ,
        "kubevirt": Packaging.OCIARCHIVE,
        "nvidiabluefield": Packaging.BFB,
        "powervs": Packaging.OVA,
        "virtualbox": Packaging.OVA,
        "vmware": Packaging.OVA,
    }


def test_a_platform_is_one_short_file() -> None:
    folder = ROOT / "platforms"
    for name in TABLE:
        text = (folder / f"{name}.py").read_text()
        assert text.count("\n") <= 60
        imported = [
            node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        assert {getattr(node, "module", None) for node in imported} <= {
            "bootimg.arch",
            "bootimg.platform",
            "consoles",
        }


def test_a_pair_that_does_not_exist_names_those_that_do() -> None:
    with pytest.raises(BootimgError) as error:
        platform("powervs", Arch.X86_64)
    assert (error.value.id, error.value.exit_code) == ("platform-arch-unsupported", ExitCode.USAGE)
    assert "ppc64le" in (error.value.hint or "")


def test_what_is_declared_only_says_why_it_is_not_built() -> None:
    refuse_unmade(image_of(platform("qemu", A)), Arch.X86_64)
    for arch in Arch:
        refuse_unmade(LIVE, arch)
    target = image_of(platform("nvidiabluefield", A))
    with pytest.raises(BootimgError) as error:
        refuse_unmade(target, A)
    assert target.name in error.value.message
    assert (error.value.id, error.value.exit_code) == ("platform-not-buildable", ExitCode.USAGE)
    assert "NVIDIA" in " ".join(error.value.context)


def install(folder: Path, package: str, entries: dict[str, str], **modules: str) -> None:
    """What pip leaves of a package: its modules, and metadata with the entry points."""
    info = folder / f"{package}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
    (info / "entry_points.txt").write_text(f"[bootimg.platforms]\n{lines}")
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)


def bootimg(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    argv = [sys.executable, "-m", "bootimg", *words, "--cache", str(folder / "cache")]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60)


EXAMPLE = (ROOT / "tests/plugin/bootimg_example_platform/__init__.py").read_text()


def test_a_plugin_of_others_is_a_platform_like_ours(tmp_path: Path) -> None:
    install(tmp_path, "example", {"example": "example_cloud:PLATFORM"}, example_cloud=EXAMPLE)
    listed = json.loads(bootimg(tmp_path, "platforms", "--json").stdout)
    assert {each["name"] for each in listed["platforms"]} == {*TABLE, "example"}
    assert listed["broken"] == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError"),
        ("PLATFORM = ", "SyntaxError"),
        ("raise RuntimeError('not today')", "not today"),
        ("PLATFORM = 7", "not a Platform"),
        (EXAMPLE.replace('name="example"', 'name="other"'), "not a Platform of that name"),
        ("", "AttributeError"),
        (EXAMPLE.replace("console=ttyS0,115200n8", "console=$tty"), "does not pass on the character $"),
    ],
)
def test_a_plugin_that_fails_is_named_and_the_others_live(tmp_path: Path, text: str, reason: str) -> None:
    install(tmp_path, "bad", {"example": "bad_cloud:PLATFORM"}, bad_cloud=text)
    listed = bootimg(tmp_path, "platforms", "--json")
    document = json.loads(listed.stdout)
    assert {each["name"] for each in document["platforms"]} == set(TABLE)
    [broken] = document["broken"]
    assert (broken["name"], broken["package"]) == ("example", "bad")
    assert reason in broken["reason"]
    assert "example is left out" in listed.stderr
    asked = bootimg(tmp_path, "build", "nothing.ociarchive", "-p", "example")
    assert asked.returncode == ExitCode.ENVIRONMENT
    assert "platform-broken" in asked.stderr


def test_two_plugins_of_one_name_are_both_left_out(tmp_path: Path) -> None:
    own = EXAMPLE.replace('name="example"', 'name="qemu"')
    install(tmp_path, "rival", {"qemu": "rival_cloud:PLATFORM"}, rival_cloud=own)
    document = json.loads(bootimg(tmp_path, "platforms", "--json").stdout)
    assert "qemu" not in {each["name"] for each in document["platforms"]}
    assert [each["error"] for each in document["broken"]] == ["platform-duplicate"]
    asked = bootimg(tmp_path, "build", "nothing.ociarchive", "-p", "qemu")
    assert asked.returncode == ExitCode.USAGE
    assert "bootimg and rival" in asked.stderr


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"qemu": []},
        {"qemu": {"kernel_arguments": "console=tty0"}},
        {"qemu": {"kernel_arguments": ["console=tty0", 7]}},
        {"qemu": {"kernel_arguments": ["console=tty0 rd.break"]}},
        {"qemu": {"kernel_arguments": [""]}},
        {"qemu": {"grub_commands": {"serial": 1}}},
        {"qemu": {"grub_commands": ["serial\n# CONSOLE-SETTINGS-END"]}},
        {"qemu": {"grub_commands": ["serial", "set x='a"]}},
        {"qemu": {"grub_commands": ["serial"], "initrd": "other"}},
    ],
)
def test_surprises_in_platforms_json_are_refused(document: object) -> None:
    with pytest.raises(BootimgError) as error:
        parse_platforms_json(json.dumps(document).encode())
    assert error.value.id == "platforms-json-malformed"


def test_platforms_json_may_leave_out_either_part() -> None:
    document = {"azure": {"kernel_arguments": ["console=tty0"]}, "x": {"grub_commands": ["serial"]}, "y": {}}
    assert parse_platforms_json(json.dumps(document).encode()) == {
        "azure": Console((), ("console=tty0",)),
        "x": Console(("serial",), ()),
        "y": Console((), ()),
    }

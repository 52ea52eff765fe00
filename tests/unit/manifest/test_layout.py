"""Partition layouts: those of the reference, and the same as sfdisk's own on a file."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from bootimg.arch import Arch
from bootimg.errors import BootimgError
from bootimg.manifest.images import define_image
from bootimg.manifest.mpp import Renderer
from bootimg.process import search_path
from bootimg.sizes import MIB
from tests.support.layers.manifests import rendered, stages

BOOT = ("boot", "BC13C2FF-59E6-4262-A352-B275FD6F7172", 384, False)
ESP = ("EFI-SYSTEM", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", 127, False)
RESERVED = ("reserved", "8DA63339-0007-60C0-C436-083AC8230908", 1, False)
# Number: name, type, MiB (None: the rest), bootable; as coreos-assembler has them.
TABLES: dict[Arch, dict[int, tuple[str, str, int | None, bool]]] = {
    Arch.X86_64: {
        1: ("BIOS-BOOT", "21686148-6449-6E6F-744E-656564454649", 1, True),
        2: ESP,
        3: BOOT,
        4: ("root", "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", None, False),
    },
    Arch.AARCH64: {
        1: RESERVED,
        2: ESP,
        3: BOOT,
        4: ("root", "B921B045-1DF0-41C3-AF44-4C6F280D3FAE", None, False),
    },
    Arch.PPC64LE: {
        1: ("PowerPC-PReP-boot", "9E1A2D38-C612-4316-AA26-8B49521E5A8B", 4, True),
        2: RESERVED,
        3: BOOT,
        4: ("root", "C31C45E6-3F39-412E-80FB-4809C4980599", None, False),
    },
    Arch.S390X: {3: BOOT, 4: ("root", "5EEAD9A9-FE09-4A1E-A1D7-520D00531306", None, False)},
}


def table(folder: Path, arch: Arch, sector_size: int, mib: int) -> dict[str, Any]:
    """The options of the sfdisk stage for a disk of `mib` MiB."""
    name = f"coreos.osbuild.{arch}.mpp.yaml"
    (folder / name).write_text(files("bootimg_manifests").joinpath(name).read_text())
    stage = {"type": "org.osbuild.sfdisk", "options": {"mpp-format-json": "{image.layout}"}}
    document = {"version": "2", "pipelines": [{"name": "table", "stages": [stage]}]}
    (folder / "table.ipp.yaml").write_text(yaml.safe_dump(document))
    given = {"selinux_policy": "", "metal_image_size_mb": mib, "sector_size": sector_size}
    rendered = Renderer(folder, given).render(name, pipelines="table.ipp.yaml")
    options: dict[str, Any] = rendered["pipelines"][0]["stages"][0]["options"]
    return options


@pytest.mark.parametrize("arch", Arch)
def test_partition_table_is_the_reference_s(arch: Arch) -> None:
    options = stages(rendered(arch), "sfdisk")[0]["options"]
    assert (options["label"], options["uuid"]) == ("gpt", "00000000-0000-4000-a000-000000000001")
    total, start, found = 2500, 1, {}
    for part in options["partitions"]:
        assert part["start"] == start * 2048
        size = part["size"] / 2048
        rest = start + size == total - 1
        found[part["partnum"]] = (
            part["name"],
            part["type"],
            None if rest else size,
            part.get("bootable", False),
        )
        start += size
        assert "uuid" not in part
    assert found == TABLES[arch]
    assert start == total - 1


def test_example_that_was_measured(tmp_path: Path) -> None:
    parts = table(tmp_path, Arch.X86_64, 512, 2500)["partitions"]
    assert [part["start"] for part in parts] == [2048, 4096, 264192, 1050624]
    assert parts[-1]["size"] == 4067328


@pytest.mark.parametrize("arch", Arch)
@pytest.mark.parametrize("sector_size", [512, 4096])
@pytest.mark.parametrize("mib", [1100, 2500, 3001])
def test_layout_is_sfdisk_s(tmp_path: Path, arch: Arch, sector_size: int, mib: int) -> None:
    options = table(tmp_path, arch, sector_size, mib)
    same_as_sfdisk(tmp_path, options, sector_size, mib * MIB)


@pytest.mark.parametrize("sector_size", [512, 4096])
@pytest.mark.parametrize("extra", [4096, 16 * 4096, MIB // 2, MIB - 4096])
def test_odd_sizes_are_rounded_as_sfdisk_rounds_them(tmp_path: Path, sector_size: int, extra: int) -> None:
    size = 600 * MIB + extra
    partitions = [
        {"name": "a", "type": BOOT[1], "size": MIB // sector_size + 8},
        {"name": "b", "type": BOOT[1]},
    ]
    uuid = "00000000-0000-4000-a000-000000000001"
    table = {"label": "gpt", "uuid": uuid, "partitions": partitions}
    image = {"size": size, "sector_size": sector_size, "table": table}
    same_as_sfdisk(tmp_path, define_image(image).layout.as_options(), sector_size, size)


def same_as_sfdisk(folder: Path, options: dict[str, Any], sector_size: int, size: int) -> None:
    """Our layout is what sfdisk makes of the sizes alone."""
    disk = folder / "disk.img"
    with disk.open("wb") as handle:
        handle.truncate(size)
    run_sfdisk(disk, script(options, disk), sector_size)
    assert layout_on(disk, sector_size) == [
        (part["partnum"], part["start"], part["size"]) for part in options["partitions"]
    ]


def script(options: dict[str, Any], disk: Path) -> str:
    """sfdisk's input; the last partition without its size."""
    lines = [f"label: {options['label']}", f"label-id: {options['uuid']}"]
    for part in options["partitions"]:
        fields = [f"type={part['type']}", f'name="{part["name"]}"']
        if part is not options["partitions"][-1]:
            fields.append(f"size={part['size']}")
        lines.append(f"{disk}{part['partnum']} : {', '.join(fields)}")
    return "\n".join(lines) + "\n"


def run_sfdisk(disk: Path, text: str, sector_size: int) -> None:
    """sfdisk knows 512-byte sectors only; fdisk has the same library, reads the same script and takes -b."""
    environment = {"PATH": search_path()}
    if shutil.which("sfdisk", path=search_path()) is None:
        pytest.skip("sfdisk is not installed")
    if sector_size == 512:
        argv, given = ["sfdisk", "-q", "--no-tell-kernel", str(disk)], text
    else:
        order = disk.with_name("script")
        order.write_text(text)
        argv, given = ["fdisk", "-b", str(sector_size), str(disk)], f"I\n{order}\nw\n"
    subprocess.run(argv, input=given.encode(), check=True, capture_output=True, env=environment)


def layout_on(disk: Path, sector_size: int) -> list[tuple[int, int, int]]:
    environment = {"PATH": search_path(), "LC_ALL": "C"}
    if sector_size == 512:
        done = subprocess.run(
            ["sfdisk", "--json", str(disk)], check=True, capture_output=True, env=environment
        )
        parts = json.loads(done.stdout)["partitiontable"]["partitions"]
        return [(int(p["node"].removeprefix(str(disk))), p["start"], p["size"]) for p in parts]
    argv = ["fdisk", "-b", str(sector_size), "-l", "-o", "Device,Start,Sectors", str(disk)]
    done = subprocess.run(argv, check=True, capture_output=True, env=environment)
    lines = [line.split() for line in done.stdout.decode().splitlines() if line.startswith(str(disk))]
    return [(int(node.removeprefix(str(disk))), int(start), int(size)) for node, start, size in lines]


def definition(*partitions: dict[str, Any], **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    uuid = "00000000-0000-4000-a000-000000000001"
    table = {"label": "gpt", "uuid": uuid, "partitions": list(partitions)}
    return {"size": 10 * MIB, "table": table, **fields}


def test_numbers_and_starts_may_be_given() -> None:
    layout = define_image(
        definition(
            {"name": "a", "type": "A", "size": 100, "partnum": 2},
            {"id": "other", "name": "b", "type": "B", "size": 100},
            {"name": "c", "type": "C", "start": 8192, "attrs": [60], "uuid": "U", "bootable": True},
        )
    ).layout
    assert [(slot.partnum, slot.start, slot.size) for slot in layout.slots] == [
        (2, 2048, 100),
        (1, 4096, 100),
        (3, 8192, 18432 - 8192),
    ]
    assert layout["other"].start == 4096
    fields = layout.as_options()["partitions"][2]
    assert (fields["attrs"], fields["uuid"], fields["bootable"]) == ([60], "U", True)


@pytest.mark.parametrize(
    "bad",
    [
        definition({"name": "a", "type": "A", "size": 1 << 20}),
        definition({"name": "a", "type": "A", "size": 0, "start": 99999}),
        definition({"name": "a", "type": "A"}, {"name": "b", "type": "B"}),
        definition({"name": "a", "type": "A", "size": 9}, {"name": "b", "type": "B", "start": 2050}),
        definition({"name": "a", "type": "A", "sise": 9}),
        definition({"name": "a", "type": "A"}, table={"label": "dos", "uuid": "1", "partitions": []}),
    ],
)
def test_layouts_that_cannot_be(bad: dict[str, Any]) -> None:
    with pytest.raises(BootimgError) as caught:
        define_image(bad)
    assert caught.value.id == "manifest-malformed"

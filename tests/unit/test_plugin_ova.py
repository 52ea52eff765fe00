"""A platform of a third party brings an OVA: tests/plugin alone describes its machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bootimg.arch import Arch
from bootimg.formats.ova import ovf
from bootimg.formats.ova.ovf import o
from bootimg.platform import registry
from tests.support.disks import libyal, needs_qemu_img, run
from tests.unit.orchestrator.test_compress import compress, faults, images, make, uncompress
from tests.unit.test_platforms import install

PLUGIN = Path(__file__).parents[1] / "plugin" / "bootimg_example_platform"
RASD, EX = f"{{{ovf.RASD}}}", "{https://hypervisor.example.com/ovf}"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The plugin as pip installs it."""
    folder = tmp_path / "site-packages"
    install(folder, "example", {"examplehv": f"{PLUGIN.name}.hypervisor:PLATFORM"})
    shutil.copytree(PLUGIN, folder / PLUGIN.name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(str(folder))
    registry.cache_clear()
    yield
    registry.cache_clear()


@needs_qemu_img
def test_a_third_party_s_platform_has_an_ova_of_its_own(installed: None, tmp_path: Path) -> None:
    image_json = b'{"size": 4, "example-generation": 5}'
    path = make(tmp_path, Arch.X86_64, {"examplehv"}, image_json=image_json)
    entry = images(path)["examplehv"]
    assert entry["path"].endswith("-examplehv.x86_64.ova")
    assert faults(path) == []
    assert (compress(path), uncompress(path)) == (set(), set())
    run("tar", "-xf", path / entry["path"], "-C", tmp_path)
    run("qemu-img", "compare", "-f", "raw", "-F", "vmdk", tmp_path / "raw", tmp_path / "disk.vmdk")
    assert libyal(pytest.importorskip("pyvmdk"), tmp_path / "disk.vmdk") == (tmp_path / "raw").read_bytes()
    root = ElementTree.parse(tmp_path / "coreos.ovf").getroot()
    assert root.findtext(f".//{{{ovf.VSSD}}}VirtualSystemType") == "example-5"
    assert root.findtext(f".//{o('OperatingSystemSection')}/{EX}Guest") == "rhel9"
    amounts = [item.findtext(f"{RASD}VirtualQuantity") for item in root.iter(o("Item"))]
    kinds = [item.findtext(f"{RASD}ResourceSubType") for item in root.iter(o("Item"))]
    assert (amounts[:2], kinds[2:]) == (["4", "8192"], ["VirtualSCSI", None, "virtio"])
    settings = {each.get(f"{{{ovf.VMW}}}key") for each in root.iter(f"{{{ovf.VMW}}}Config")}
    assert settings == {"firmware"}
    assert [each.get(o("key")) for each in root.iter(o("Property"))] == ["example.ignition"]
    assert root.findtext(f".//{o('Version')}") == images(path)["ostree"]["path"].split("-ostree")[0][6:]

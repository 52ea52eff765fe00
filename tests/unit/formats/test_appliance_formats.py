"""OVAs, the OCI archive and what qemu-img writes, read by tar, skopeo, qemu-img and an XML parser."""

import hashlib
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bootimg.arch import Arch
from bootimg.disk.extents import FileSource
from bootimg.errors import BootimgError
from bootimg.formats import Compressor, Packing
from bootimg.formats.ociarchive import write_ociarchive
from bootimg.formats.ova import appliances, ovf
from bootimg.formats.ova.archive import write_ova, write_power_volume
from bootimg.formats.ova.ovf import Disk, Product, o
from bootimg.platform import Ovf, PowerVolume, platforms
from bootimg.sizes import GIB, MIB
from tests.support.disks import DISKS, libyal, make_disk, needs_qemu_img, run

PRODUCT = Product(name="rhcos-9.8-test", product="RHEL CoreOS & more", vendor="rhcos", version="9.8.1")
LAYER = {"vmware-hw-version": "15", "vmware-os-type": "rhel8_64Guest", "vmware-secure-boot": "false"}
VMW, VBOX = f"{{{ovf.VMW}}}", "{http://www.virtualbox.org/ovf/machine}"
RASD = f"{{{ovf.RASD}}}"
GOLDEN = Path(__file__).parents[1] / "golden"


def machine_of(name: str) -> Ovf:
    found = platforms()[name].packaging_options
    assert isinstance(found, Ovf)
    return found


def volume_of(name: str) -> PowerVolume:
    found = platforms()[name].packaging_options
    assert isinstance(found, PowerVolume)
    return found


def describe_vmware(disk: Disk) -> bytes:
    return appliances.machine(machine_of("vmware"), disk, PRODUCT, LAYER)


def describe_virtualbox(disk: Disk) -> bytes:
    return appliances.machine(machine_of("virtualbox"), disk, PRODUCT, {})


def describe_powervs(disk: Disk) -> bytes:
    return appliances.power_volume(volume_of("powervs"), disk, PRODUCT)


@pytest.mark.parametrize(("name", "describe", "file"), [
    ("vmware", describe_vmware, "disk.vmdk"),
    ("virtualbox", describe_virtualbox, "disk.vmdk"),
    ("powervs", describe_powervs, "rhcos-disk.raw"),
])  # fmt: skip
def test_the_descriptors_are_those_of_the_first_versions(
    name: str, describe: Callable[[Disk], bytes], file: str
) -> None:
    disk = Disk(file=file, size=123456789, capacity=16 * GIB)
    assert describe(disk) == (GOLDEN / f"{name}.ovf").read_bytes()
    if name == "powervs":
        meta = appliances.power_volume_meta(volume_of("powervs"), disk)
        assert meta == (GOLDEN / "powervs.meta").read_bytes()


@needs_qemu_img
@pytest.mark.parametrize("describe", [describe_vmware, describe_virtualbox])
def test_an_ova_has_the_descriptor_first_and_the_disk(tmp_path: Path, describe: object) -> None:
    assert callable(describe)
    raw, out = make_disk(tmp_path / "raw", *DISKS["holes"]), tmp_path / "out.ova"
    options: dict[str, str | bool] = {"adapter_type": "lsilogic", "compat6": True}
    with FileSource(raw) as source:
        written = write_ova(source, out, describe, options)
    assert written.sha256 == hashlib.sha256(out.read_bytes()).hexdigest()
    assert run("tar", "-tf", out).decode().splitlines() == ["coreos.ovf", "disk.vmdk"]
    run("tar", "-xf", out, "-C", tmp_path)
    run("qemu-img", "compare", "-f", "raw", "-F", "vmdk", raw, tmp_path / "disk.vmdk")
    assert libyal(pytest.importorskip("pyvmdk"), tmp_path / "disk.vmdk") == raw.read_bytes()
    root = ElementTree.parse(tmp_path / "coreos.ovf").getroot()
    file = root.find(f"{o('References')}/{o('File')}")
    disk = root.find(f"{o('DiskSection')}/{o('Disk')}")
    assert file is not None
    assert disk is not None
    assert file.get(o("href")) == "disk.vmdk"
    assert file.get(o("size")) == str((tmp_path / "disk.vmdk").stat().st_size)
    info = json.loads(run("qemu-img", "info", "--output=json", tmp_path / "disk.vmdk"))
    assert disk.get(o("capacity")) == str(info["virtual-size"])
    assert disk.get(o("fileRef")) == file.get(o("id"))
    with tarfile.open(out) as archive:
        assert {(each.uid, each.gid, each.mtime, each.mode) for each in archive} == {(0, 0, 0, 0o644)}
    assert out.read_bytes()[257:265] == b"ustar\x0000"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["coreos.ovf", "disk.vmdk", "out.ova", "raw"]


@pytest.mark.parametrize("describe", [describe_vmware, describe_virtualbox, describe_powervs])
def test_what_the_schema_requires(describe: object) -> None:
    assert callable(describe)
    root = ElementTree.fromstring(describe(Disk(file="disk", size=5, capacity=16 * GIB)))
    assert root.tag == o("Envelope")
    tags = [child.tag for child in root]
    assert tags[:2] == [o("References"), o("DiskSection")]
    assert tags[-1] in (o("VirtualSystem"), o("VirtualSystemCollection"))
    for section in root.iter():
        if section.tag.endswith("Section") or section.tag in (o("VirtualSystem"), tags[-1]):
            assert section[0].tag == o("Info"), section.tag
    systems = list(root.iter(o("VirtualSystem")))
    assert [bool(system.get(o("id"))) for system in systems] == [True]
    assert [system.findtext(o("Name")) for system in systems] == ["rhcos-9.8-test"]
    hardware = systems[0].find(o("VirtualHardwareSection"))
    assert hardware is not None
    ids = []
    for item in hardware.iter(o("Item")):
        names = [child.tag for child in item if child.tag.startswith(RASD)]
        assert names == sorted(names)
        for required in ("ElementName", "InstanceID", "ResourceType"):
            assert item.findtext(RASD + required)
        ids.append(item.findtext(RASD + "InstanceID"))
    assert len(ids) == len(set(ids))
    parents = {item.findtext(RASD + "Parent") for item in hardware.iter(o("Item"))} - {None}
    assert parents <= set(ids)


def test_vmware_gets_what_image_json_says() -> None:
    values = {"vmware-hw-version": "17", "vmware-os-type": "fedora64Guest", "vmware-secure-boot": "true"}
    disk = Disk(file="disk.vmdk", size=5, capacity=GIB)
    text = appliances.machine(machine_of("vmware"), disk, PRODUCT, values)
    root = ElementTree.fromstring(text)
    assert root.findtext(f".//{{{ovf.VSSD}}}VirtualSystemType") == "vmx-17"
    kind = root.find(f".//{o('OperatingSystemSection')}")
    assert kind is not None
    assert kind.get(VMW + "osType") == "fedora64Guest"
    settings = {each.get(VMW + "key"): each.get(VMW + "value") for each in root.iter(VMW + "Config")}
    assert settings["firmware"] == "efi"
    assert settings["bootOptions.efiSecureBootEnabled"] == "true"
    assert root.findtext(f".//{o('Product')}") == "RHEL CoreOS & more"
    keys = [each.get(o("key")) for each in root.iter(o("Property"))]
    assert keys == ["guestinfo.ignition.config.data", "guestinfo.ignition.config.data.encoding"]
    amounts = [item.findtext(RASD + "VirtualQuantity") for item in root.iter(o("Item"))]
    assert amounts[:2] == ["2", "4096"]


def test_virtualbox_knows_its_disk_and_firmware() -> None:
    root = ElementTree.fromstring(describe_virtualbox(Disk(file="disk.vmdk", size=5, capacity=GIB)))
    disk = root.find(f".//{o('Disk')}")
    image = root.find(f".//{o('Image')}")
    firmware = root.find(f".//{o('Firmware')}")
    assert disk is not None
    assert image is not None
    assert firmware is not None
    assert image.get("uuid") == f"{{{disk.get(VBOX + 'uuid')}}}"
    assert firmware.get("type") == "EFI"
    assert root.findtext(f".//{VBOX}OSType") == "Fedora_64"


def test_powervs_takes_a_raw_disk_in_a_gzipped_tar(tmp_path: Path) -> None:
    raw, out = make_disk(tmp_path / "raw", *DISKS["holes"]), tmp_path / "out.ova.gz"
    with FileSource(raw) as source:
        written = write_power_volume(source, out, volume_of("powervs"), PRODUCT, "rhcos-disk.raw")
    names = ["coreos.ovf", "coreos.meta", "rhcos-disk.raw"]
    assert run("tar", "-tzf", out).decode().splitlines() == names
    run("tar", "-xzf", out, "-C", tmp_path)
    assert (tmp_path / "rhcos-disk.raw").read_bytes() == raw.read_bytes()
    assert "vol1-file = rhcos-disk.raw\n" in (tmp_path / "coreos.meta").read_text()
    plain = subprocess.run(["gzip", "-dc"], stdin=out.open(), stdout=-1, check=True).stdout
    assert (written.uncompressed_size, written.uncompressed_sha256) == (
        len(plain),
        hashlib.sha256(plain).hexdigest(),
    )
    disk = ElementTree.parse(tmp_path / "coreos.ovf").getroot().find(f".//{o('Disk')}")
    assert disk is not None
    assert disk.get("capacity") == "128849018880"


@needs_qemu_img
@pytest.mark.parametrize(("arch", "name"), [(Arch.X86_64, "amd64"), (Arch.S390X, "s390x")])
def test_skopeo_takes_the_oci_archive(tmp_path: Path, arch: Arch, name: str) -> None:
    if not shutil.which("skopeo"):
        pytest.skip("skopeo is not installed")
    raw, out = make_disk(tmp_path / "raw", *DISKS["holes"]), tmp_path / "out.ociarchive"
    digests = set()
    for threads in (1, 2):
        with FileSource(raw) as source:
            written = write_ociarchive(
                source, out, disk_name="rhcos-kubevirt.qcow2", arch=arch, labels={"version": "9.8.1"},
                packing=Packing(threads=threads),
            )  # fmt: skip
        digests.add(written.sha256)
    assert digests == {hashlib.sha256(out.read_bytes()).hexdigest()}
    said = json.loads(run("skopeo", "inspect", f"oci-archive:{out}"))
    assert (said["Architecture"], said["Os"], said["Labels"]) == (name, "linux", {"version": "9.8.1"})
    assert len(said["Layers"]) == 1
    there = tmp_path / "there"
    run("skopeo", "copy", "-q", "--insecure-policy", f"oci-archive:{out}", f"dir:{there}")
    with tarfile.open(there / said["Layers"][0].removeprefix("sha256:")) as layer:
        folder, disk = layer.getmembers()
        assert (folder.name, folder.mode, folder.isdir()) == ("disk", 0o755, True)
        assert (disk.name, disk.mode, disk.uid) == ("disk/rhcos-kubevirt.qcow2", 0o644, 0)
        layer.extractall(tmp_path, filter="data")
    run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", raw, tmp_path / "disk/rhcos-kubevirt.qcow2")


def test_options_of_the_vmdk_in_an_ova_are_checked(tmp_path: Path) -> None:
    raw = make_disk(tmp_path / "raw", MIB, [])
    with FileSource(raw) as source, pytest.raises(BootimgError) as caught:
        write_ova(source, tmp_path / "out", describe_vmware, {"subformat": "twoGbMaxExtentFlat"})
    assert caught.value.id == "format-option-unsupported"
    assert Compressor.GZIP.suffix == ".gz"


MINIMAL: dict[str, Any] = {"family": "x", "os_id": 1, "network": "n"}


@pytest.mark.parametrize(("more", "why"), [
    ({"family": "x-{generation}"}, "generation"),
    ({"machine_xml": "<ex:Machine/>"}, "unbound prefix"),
    ({"os_xml": "<Guest>"}, "mismatched"),
    ({"disk_attributes": {"ex:uuid": "1"}}, "ex:uuid"),
    ({"os_attributes": {"id2": "{no}"}}, "no"),
    ({"machine_xml": '<a b="{c}"/>'}, "c"),
])  # fmt: skip
def test_a_description_that_cannot_be_made_is_refused_where_the_plugin_makes_it(
    more: dict[str, Any], why: str
) -> None:
    with pytest.raises((ValueError, SyntaxError), match=why):
        Ovf(**MINIMAL | more)


def test_what_a_layer_says_cannot_become_markup() -> None:
    machine = Ovf(**MINIMAL, os_xml='<Guest of="{k}">{k}</Guest>', layer_values={"k": "v"})
    wild = '"/><x a="&'
    text = appliances.machine(machine, Disk(file="d", size=1, capacity=1), PRODUCT, {"k": wild})
    found = ElementTree.fromstring(text).find(f".//{o('Guest')}")
    assert found is not None
    assert (found.text, found.get("of"), len(found)) == (wild, wild, 0)

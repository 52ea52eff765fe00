"""The descriptors of the three platforms that take OVAs: VMware, VirtualBox and IBM PowerVS.

What hardware each asks for is a fixed part of these artifacts: coreos-assembler made the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from bootimg.formats import ovf
from bootimg.formats.ovf import Disk, Product, o
from bootimg.sizes import GIB

_POWERVS_CAPACITY = 120 * GIB
_RHEL_64, _LINUX_64, _POWER = "80", "100", "79"


@dataclass(frozen=True, slots=True, kw_only=True)
class VmwareFacts:
    """image.json's `vmware-hw-version`, `vmware-os-type` and `vmware-secure-boot`."""

    hw_version: int
    os_type: str
    secure_boot: bool


def vmware(disk: Disk, product: Product, facts: VmwareFacts) -> bytes:
    """UEFI, a paravirtual SCSI disk, vmxnet3, and properties for Ignition's config."""
    root = ovf.envelope(disk, ovf.STREAM_OPTIMIZED)
    ovf.add_network(root, "VM Network")
    system = ovf.add_system(root, "image", product.name)
    ovf.add_section(
        system, "OperatingSystemSection", "The installed operating system",
        {o("id"): _RHEL_64, f"{{{ovf.VMW}}}osType": facts.os_type},
    )  # fmt: skip
    transport = {o("transport"): "com.vmware.guestInfo"}
    hardware = ovf.add_hardware(system, f"vmx-{facts.hw_version}", "image", transport)
    ovf.add_item(hardware, Address="0", Description="SCSI controller", ElementName="SCSI Controller 0",
                 InstanceID="3", ResourceSubType="VirtualSCSI", ResourceType="6")  # fmt: skip
    ovf.add_item(hardware, AddressOnParent="0", ElementName="Hard disk 0", HostResource="ovf:/disk/disk1",
                 InstanceID="4", Parent="3", ResourceType="17")  # fmt: skip
    ovf.add_item(hardware, AddressOnParent="7", AutomaticAllocation="true", Connection="VM Network",
                 Description="vmxnet3 network adapter", ElementName="Network adapter 1", InstanceID="5",
                 ResourceSubType="VmxNet3", ResourceType="10")  # fmt: skip
    _configure(hardware, "firmware", "efi")
    _configure(hardware, "bootOptions.efiSecureBootEnabled", str(facts.secure_boot).lower())
    section = ovf.add_product(system, product)
    _property(section, "guestinfo.ignition.config.data", "Ignition config")
    _property(section, "guestinfo.ignition.config.data.encoding", "Encoding of the Ignition config")
    return ovf.serialize(root)


def _configure(hardware: Element, key: str, value: str) -> None:
    vmw = f"{{{ovf.VMW}}}"
    attributes = {o("required"): "false", f"{vmw}key": key, f"{vmw}value": value}
    SubElement(hardware, f"{vmw}Config", attributes)


def _property(section: Element, key: str, label: str) -> None:
    attributes = {o("key"): key, o("type"): "string", o("userConfigurable"): "true", o("value"): ""}
    element = SubElement(section, o("Property"), attributes)
    SubElement(element, o("Label")).text = label
    SubElement(element, o("Description")).text = f"{label}, given to the guest as {key}"


def virtualbox(disk: Disk, product: Product) -> bytes:
    """EFI, a SATA disk, a network behind NAT; with a part in VirtualBox's own terms."""
    root = ovf.envelope(disk, ovf.STREAM_OPTIMIZED)
    described = root.find(f"{o('DiskSection')}/{o('Disk')}")
    if described is not None:
        described.set(f"{{{ovf.VBOX}}}uuid", ovf.machine_id(product, "disk"))
    ovf.add_network(root, "NAT")
    system = ovf.add_system(root, product.name, product.name)
    kind = ovf.add_section(
        system, "OperatingSystemSection", "The installed operating system", {o("id"): _LINUX_64}
    )
    SubElement(kind, f"{{{ovf.VBOX}}}OSType", {o("required"): "false"}).text = _VIRTUALBOX_OS
    hardware = ovf.add_hardware(system, "virtualbox-2.2", product.name)
    ovf.add_item(hardware, Address="0", Description="SATA controller", ElementName="SATA Controller 0",
                 InstanceID="3", ResourceSubType="AHCI", ResourceType="20")  # fmt: skip
    ovf.add_item(hardware, AddressOnParent="0", ElementName="Hard disk 0", HostResource="/disk/disk1",
                 InstanceID="4", Parent="3", ResourceType="17")  # fmt: skip
    ovf.add_item(hardware, AutomaticAllocation="true", Connection="NAT", ElementName="Network adapter 1",
                 InstanceID="5", ResourceSubType="E1000", ResourceType="10")  # fmt: skip
    _virtualbox_machine(system, product)
    ovf.add_product(system, product)
    return ovf.serialize(root)


_VIRTUALBOX_OS = "Fedora_64"
_MACHINE: tuple[tuple[str, dict[str, str]], ...] = (
    ("CPU", {"count": str(ovf.CPUS)}),
    ("Memory", {"RAMSize": str(ovf.MEMORY_MIB)}),
    ("Firmware", {"type": "EFI"}),
    ("Display", {"controller": "VMSVGA", "VRAMSize": "36"}),
)


def _virtualbox_machine(system: Element, product: Product) -> None:
    def vbox(name: str) -> str:
        return f"{{{ovf.VBOX}}}{name}"

    attributes = {
        o("required"): "false",
        "version": "1.16-linux",
        "uuid": f"{{{ovf.machine_id(product, 'machine')}}}",
        "name": product.name,
        "OSType": _VIRTUALBOX_OS,
    }
    machine = SubElement(system, vbox("Machine"), attributes)
    SubElement(machine, o("Info")).text = "The machine in VirtualBox's format"
    hardware = SubElement(machine, o("Hardware"))
    for name, values in _MACHINE:
        SubElement(hardware, o(name), values)
    SubElement(SubElement(hardware, o("BIOS")), o("IOAPIC"), {"enabled": "true"})
    adapter = {"slot": "0", "enabled": "true", "type": "virtio"}
    SubElement(SubElement(SubElement(hardware, o("Network")), o("Adapter"), adapter), o("NAT"))
    controller = {"name": "AHCI", "type": "AHCI", "PortCount": "1", "useHostIOCache": "false"}
    controllers = SubElement(machine, o("StorageControllers"))
    storage = SubElement(controllers, o("StorageController"), controller | {"Bootable": "true"})
    device = {"type": "HardDisk", "hotpluggable": "false", "port": "0", "device": "0"}
    image = {"uuid": f"{{{ovf.machine_id(product, 'disk')}}}"}
    SubElement(SubElement(storage, o("AttachedDevice"), device), o("Image"), image)


def powervs(disk: Disk, product: Product) -> bytes:
    """A collection of one system with one disk, which PowerVS makes 120 GiB large.

    File and disk have attributes without a namespace, as in the appliances PowerVS itself exports.
    """
    disk = Disk(file=disk.file, size=disk.size, capacity=max(_POWERVS_CAPACITY, disk.capacity))
    root = ovf.envelope(disk, None)
    for element in (*root.iter(o("File")), *root.iter(o("Disk"))):
        attributes = {name.removeprefix(o("")): value for name, value in element.items()}
        element.attrib.clear()
        element.attrib.update(attributes)
    collection = ovf.add_section(root, "VirtualSystemCollection", product.product, {o("id"): "vsc0"})
    SubElement(collection, o("Name")).text = product.name
    system = ovf.add_system(collection, "vs0", product.name)
    kind = ovf.add_section(system, "OperatingSystemSection", product.product, {o("id"): _POWER})
    SubElement(kind, o("Description")).text = f"{product.product} {product.version}"
    SubElement(kind, f"{{{ovf.PVC}}}architecture").text = "ppc64le"
    hardware = ovf.add_section(system, "VirtualHardwareSection", "Storage")
    item = ovf.add_item(hardware, Description=disk.file, ElementName=disk.file,
                        HostResource="ovf:/disk/disk1", InstanceID="1", ResourceType="17")  # fmt: skip
    SubElement(item, f"{{{ovf.PVC}}}boot").text = "True"
    return ovf.serialize(root)


def powervs_meta(disk: Disk) -> bytes:
    """The file beside the descriptor that names the volume to boot from."""
    lines = ("os-type = rhel", "architecture = ppc64le", f"vol1-file = {disk.file}", "vol1-type = boot")
    return "\n".join([*lines, ""]).encode()

"""OVF descriptors of appliances (DMTF DSP0243 1.1): the machine that a hypervisor makes on import."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from bootimg.ovf import NAMESPACES

OVF, VMW = NAMESPACES["ovf"], NAMESPACES["vmw"]
_CIM = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_"
RASD = f"{_CIM}ResourceAllocationSettingData"
VSSD = f"{_CIM}VirtualSystemSettingData"
PVC = "ibmpvc"
STREAM_OPTIMIZED = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"
_PREFIXES: Mapping[str, str] = {**NAMESPACES, "rasd": RASD, "vssd": VSSD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """The product data of an appliance: the image's `name`; product, vendor and version of the system."""

    name: str
    product: str
    vendor: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The file beside the descriptor: its name and size, and the virtual disk's `capacity`, in bytes."""

    file: str
    size: int
    capacity: int


def o(name: str) -> str:
    """A name in OVF's namespace, as ElementTree writes it."""
    return f"{{{OVF}}}{name}"


def envelope(disk: Disk, disk_format: str | None) -> Element:
    """The root with the references and the disk; without a format if `disk_format` is None."""
    root = Element(o("Envelope"))
    file = {o("href"): disk.file, o("id"): "file1", o("size"): str(disk.size)}
    SubElement(SubElement(root, o("References")), o("File"), file)
    section = add_section(root, "DiskSection", "Virtual disks")
    attributes = {
        o("capacity"): str(disk.capacity),
        o("capacityAllocationUnits"): "byte",
        o("diskId"): "disk1",
        o("fileRef"): "file1",
    }
    if disk_format is not None:
        attributes |= {o("format"): disk_format, o("populatedSize"): str(disk.size)}
    SubElement(section, o("Disk"), attributes)
    return root


def add_network(root: Element, name: str) -> None:
    """Add the only network of the system."""
    section = add_section(root, "NetworkSection", "Logical networks")
    network = SubElement(section, o("Network"), {o("name"): name})
    SubElement(network, o("Description")).text = f"The network {name}"


def add_section(
    parent: Element, name: str, info: str, attributes: Mapping[str, str] | None = None
) -> Element:
    """Add a section, which begins with an Info for people."""
    section = SubElement(parent, o(name), dict(attributes or {}))
    SubElement(section, o("Info")).text = info
    return section


def add_system(root: Element, identifier: str, name: str) -> Element:
    """Add the virtual system."""
    system = add_section(root, "VirtualSystem", "A virtual machine", {o("id"): identifier})
    SubElement(system, o("Name")).text = name
    return system


def add_hardware(
    system: Element, kind: str, identifier: str, attributes: Mapping[str, str] | None = None
) -> Element:
    """Add an empty hardware section of the family `kind`."""
    hardware = add_section(system, "VirtualHardwareSection", "Virtual hardware", attributes)
    family = SubElement(hardware, o("System"))
    for key, value in (
        ("ElementName", "Virtual Hardware Family"),
        ("InstanceID", "0"),
        ("VirtualSystemIdentifier", identifier),
        ("VirtualSystemType", kind),
    ):
        SubElement(family, f"{{{VSSD}}}{key}").text = value
    return hardware


def add_processors(hardware: Element, cpus: int, memory_mib: int) -> None:
    """Add processors and memory, the first two items."""
    add_item(hardware, AllocationUnits="hertz * 10^6", Description="Number of virtual CPUs",
             ElementName=f"{cpus} virtual CPUs", InstanceID="1", ResourceType="3",
             VirtualQuantity=str(cpus))  # fmt: skip
    add_item(hardware, AllocationUnits="byte * 2^20", Description="Memory size",
             ElementName=f"{memory_mib} MiB of memory", InstanceID="2", ResourceType="4",
             VirtualQuantity=str(memory_mib))  # fmt: skip


def add_item(hardware: Element, **fields: str) -> Element:
    """Add a piece of hardware; its fields are in alphabetical order, as the schema requires."""
    item = SubElement(hardware, o("Item"))
    for key, value in sorted(fields.items()):
        SubElement(item, f"{{{RASD}}}{key}").text = value
    return item


def add_product(system: Element, product: Product) -> Element:
    """Add the product section."""
    section = add_section(system, "ProductSection", "The installed software")
    for key, value in (
        ("Product", product.product),
        ("Vendor", product.vendor),
        ("Version", product.version),
    ):
        SubElement(section, o(key)).text = value
    return section


def serialize(root: Element, namespaces: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """The document as UTF-8; `namespaces` are those of vendors, by their prefixes."""
    for prefix, namespace in {**_PREFIXES, **namespaces}.items():
        ElementTree.register_namespace(prefix, namespace)
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def machine_id(product: Product, what: str) -> str:
    """A UUID for a part of the machine, the same for the same name and version."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{product.name} {product.version} {what}"))

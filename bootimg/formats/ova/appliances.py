"""The descriptors in OVAs, made from the plugin's description of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement

from bootimg.formats.ova import ovf
from bootimg.formats.ova.ovf import Disk, Product, o
from bootimg.ovf import NAME, Controller, Ovf, PowerVolume
from bootimg.sizes import GIB

_CONTROLLERS = {Controller.SCSI: ("SCSI", "6"), Controller.SATA: ("SATA", "20")}
_CONTROLLER, _DISK, _ADAPTER = "3", "4", "5"
"""The InstanceIDs; processors and memory have 1 and 2."""


def machine(description: Ovf, disk: Disk, product: Product, layer_values: Mapping[str, str]) -> bytes:
    """The descriptor of a machine; `layer_values` has a string for each key that the description lists."""
    return _Machine(description, product, layer_values).document(disk)


class _Machine:
    """Builds a descriptor, with the description's names in braces replaced by values."""

    def __init__(self, description: Ovf, product: Product, layer_values: Mapping[str, str]) -> None:
        self._is, self._product = description, product
        self._values = {
            **layer_values,
            "name": product.name,
            "version": product.version,
            "machine-id": ovf.machine_id(product, "machine"),
            "disk-id": ovf.machine_id(product, "disk"),
        }

    def document(self, disk: Disk) -> bytes:
        root = ovf.envelope(disk, ovf.STREAM_OPTIMIZED)
        for described in root.iter(o("Disk")):
            described.attrib.update(self._attributes(self._is.disk_attributes))
        ovf.add_network(root, self._is.network)
        identifier = self._text(self._is.identifier)
        system = ovf.add_system(root, identifier, self._product.name)
        attributes = {o("id"): str(self._is.os_id), **self._attributes(self._is.os_attributes)}
        section = ovf.add_section(
            system, "OperatingSystemSection", "The installed operating system", attributes
        )
        self._add(section, self._is.os_xml)
        self._hardware(system, identifier)
        self._add(system, self._is.machine_xml)
        self._properties(ovf.add_product(system, self._product))
        return ovf.serialize(root, self._is.namespaces)

    def _hardware(self, system: Element, identifier: str) -> None:
        machine = self._is
        transport = {o("transport"): machine.transport} if machine.transport else {}
        hardware = ovf.add_hardware(system, self._text(machine.family), identifier, transport)
        ovf.add_processors(hardware, machine.cpus, machine.memory_mib)
        bus, kind = _CONTROLLERS[machine.controller]
        ovf.add_item(hardware, Address="0", Description=f"{bus} controller",
                     ElementName=f"{bus} Controller 0", InstanceID=_CONTROLLER,
                     ResourceSubType=machine.controller.value, ResourceType=kind)  # fmt: skip
        ovf.add_item(hardware, AddressOnParent="0", ElementName="Hard disk 0", InstanceID=_DISK,
                     HostResource=machine.disk_resource, Parent=_CONTROLLER, ResourceType="17")  # fmt: skip
        self._adapter(hardware)
        for key, value in machine.settings.items():
            attributes = {"ovf:required": "false", "vmw:key": key, "vmw:value": value}
            SubElement(hardware, f"{{{ovf.VMW}}}Config", self._attributes(attributes))

    def _adapter(self, hardware: Element) -> None:
        adapter = self._is.adapter
        optional = {
            "AddressOnParent": None if adapter.address is None else str(adapter.address),
            "Description": adapter.description,
        }
        given = {key: value for key, value in optional.items() if value is not None}
        ovf.add_item(hardware, AutomaticAllocation="true", Connection=self._is.network,
                     ElementName="Network adapter 1", InstanceID=_ADAPTER, ResourceSubType=adapter.kind,
                     ResourceType="10", **given)  # fmt: skip

    def _properties(self, section: Element) -> None:
        for key, label in self._is.properties.items():
            attributes = {o("key"): key, o("type"): "string", o("userConfigurable"): "true", o("value"): ""}
            element = SubElement(section, o("Property"), attributes)
            SubElement(element, o("Label")).text = label
            SubElement(element, o("Description")).text = f"{label}, given to the guest as {key}"

    def _add(self, parent: Element, xml: str) -> None:
        for made in self._is.elements(xml):
            for each in made.iter():
                each.text = None if each.text is None else self._text(each.text)
                each.attrib.update({name: self._text(value) for name, value in each.items()})
            parent.append(made)

    def _attributes(self, attributes: Mapping[str, str]) -> dict[str, str]:
        return {self._is.qualified(name): self._text(value) for name, value in attributes.items()}

    def _text(self, text: str) -> str:
        return NAME.sub(lambda found: self._values[found[1]], text)


def power_volume(description: PowerVolume, disk: Disk, product: Product) -> bytes:
    """A collection of one system with one disk.

    File and disk have attributes without a namespace, as in the appliances PowerVS itself exports.
    """
    capacity = max(description.capacity_gib * GIB, disk.capacity)
    root = ovf.envelope(Disk(file=disk.file, size=disk.size, capacity=capacity), None)
    for element in (*root.iter(o("File")), *root.iter(o("Disk"))):
        attributes = {name.removeprefix(o("")): value for name, value in element.items()}
        element.attrib.clear()
        element.attrib.update(attributes)
    collection = ovf.add_section(root, "VirtualSystemCollection", product.product, {o("id"): "vsc0"})
    SubElement(collection, o("Name")).text = product.name
    system = ovf.add_system(collection, "vs0", product.name)
    attributes = {o("id"): str(description.os_id)}
    kind = ovf.add_section(system, "OperatingSystemSection", product.product, attributes)
    SubElement(kind, o("Description")).text = f"{product.product} {product.version}"
    SubElement(kind, f"{{{ovf.PVC}}}architecture").text = description.architecture
    hardware = ovf.add_section(system, "VirtualHardwareSection", "Storage")
    item = ovf.add_item(hardware, Description=disk.file, ElementName=disk.file,
                        HostResource="ovf:/disk/disk1", InstanceID="1", ResourceType="17")  # fmt: skip
    SubElement(item, f"{{{ovf.PVC}}}boot").text = "True"
    return ovf.serialize(root)


def power_volume_meta(description: PowerVolume, disk: Disk) -> bytes:
    """The file beside the descriptor that names the volume to boot from."""
    lines = (
        f"os-type = {description.os_type}",
        f"architecture = {description.architecture}",
        f"vol1-file = {disk.file}",
        "vol1-type = boot",
    )
    return "\n".join([*lines, ""]).encode()

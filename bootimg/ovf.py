"""How a plugin describes the machine of its OVA (DMTF DSP0243, the Open Virtualization Format).

Texts can contain names in braces.  `{name}` and `{version}` are the image's.  `{machine-id}` and `{disk-id}`
are UUIDs derived from these two.  The others are keys of image.json that `layer_values` lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

NAME = re.compile(r"\{([\w-]+)\}")
ALWAYS = ("name", "version", "machine-id", "disk-id")
NAMESPACES: Mapping[str, str] = {
    "ovf": "http://schemas.dmtf.org/ovf/envelope/1",
    "vmw": "http://www.vmware.com/schema/ovf",
}
"""The namespaces that every description can use, by prefix."""
Text = Mapping[str, str]


class Controller(StrEnum):
    """The disk's controller; the value is CIM's ResourceSubType."""

    SCSI = "VirtualSCSI"
    SATA = "AHCI"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A network adapter: CIM's ResourceSubType, a description, and its address on the bus."""

    kind: str = "E1000"
    description: str | None = None
    address: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ovf:
    """A machine with one disk, a streamOptimized VMDK, and one network adapter.

    `family` is the virtual hardware family, `os_id` CIM's number of the operating system.  `settings` are
    VMware's (`firmware`, `bootOptions.…`).  `properties` are values that the user sets at import, as labels
    by key; `transport` is how the guest gets them.  `layer_values` are keys of image.json with their
    defaults; a layer's value must have the same type as the default.

    A vendor's own parts use the prefixes of `namespaces`: attributes of the disk and of the operating
    system, and XML in the operating system's section and at the end of the machine, after its hardware.
    Elements without a prefix are OVF's.
    """

    family: str
    os_id: int
    network: str
    adapter: Adapter = field(default_factory=Adapter)
    controller: Controller = Controller.SATA
    disk_resource: str = "ovf:/disk/disk1"
    cpus: int = 2
    memory_mib: int = 4096
    identifier: str = "{name}"
    transport: str | None = None
    settings: Text = field(default_factory=dict)
    properties: Text = field(default_factory=dict)
    layer_values: Mapping[str, str | int | bool] = field(default_factory=dict)
    namespaces: Text = field(default_factory=dict)
    disk_attributes: Text = field(default_factory=dict)
    os_attributes: Text = field(default_factory=dict)
    os_xml: str = ""
    machine_xml: str = ""

    def __post_init__(self) -> None:
        """Refuse names without a value, and prefixes without a namespace."""
        known = {*ALWAYS, *self.layer_values}
        for text in (self.family, self.identifier, self.os_xml, self.machine_xml, *self._values()):
            if unknown := set(NAME.findall(text)) - known:
                raise ValueError(f"{text!r:.80} has an unknown name: {', '.join(sorted(unknown))}")
        for name in (*self.disk_attributes, *self.os_attributes):
            self.qualified(name)
        for text in (self.os_xml, self.machine_xml):
            self.elements(text)

    def _values(self) -> Iterator[str]:
        for mapping in (self.settings, self.disk_attributes, self.os_attributes):
            yield from mapping.values()

    def qualified(self, name: str) -> str:
        """A name in ElementTree's form, with its namespace; a name without a prefix has none."""
        prefix, colon, local = name.rpartition(":")
        known = {**NAMESPACES, **self.namespaces}
        if colon and prefix not in known:
            raise ValueError(f"{name!r} has a prefix that is not in `namespaces`")
        return f"{{{known[prefix]}}}{local}" if colon else local

    def elements(self, text: str) -> list[Element]:
        """The elements of a vendor's XML, with names in braces unchanged."""
        known = {**NAMESPACES, **self.namespaces}
        declared = " ".join(f'xmlns:{prefix}="{namespace}"' for prefix, namespace in known.items())
        return list(ElementTree.fromstring(f'<all xmlns="{known["ovf"]}" {declared}>{text}</all>'))


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerVolume:
    """A raw boot volume, as IBM's PowerVC and Power Virtual Server import it.

    The cloud makes it at least `capacity_gib` GiB large.  `os_type` and `architecture` are IBM's terms.
    """

    os_id: int
    os_type: str
    architecture: str
    capacity_gib: int


Description = Ovf | PowerVolume
"""The types of `packaging_options` of a platform whose packaging is an OVA."""

"""Partition layouts, as `mpp-define-images` computes them with sfdisk: without a disk, by ourselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bootimg.manifest.model import malformed
from bootimg.sizes import MIB

_KNOWN = {"id", "name", "type", "size", "start", "uuid", "bootable", "attrs", "partnum"}


@dataclass(frozen=True, slots=True)
class Slot:
    """A partition of a layout; `start` and `size` in sectors, `fields` as the sfdisk stage takes them."""

    name: str
    partnum: int
    start: int
    size: int
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """A partition table: expressions take a partition by its name (`layout['root'].start`)."""

    label: str
    uuid: str
    slots: tuple[Slot, ...]

    def __getitem__(self, name: str) -> Slot:
        for slot in self.slots:
            if slot.name == name:
                return slot
        raise KeyError(name)

    def as_options(self) -> dict[str, Any]:
        """The options of the stage org.osbuild.sfdisk."""
        return {
            "label": self.label,
            "uuid": self.uuid,
            "partitions": [dict(slot.fields) for slot in self.slots],
        }

    def __str__(self) -> str:
        return json.dumps(self.as_options())


@dataclass(frozen=True, slots=True)
class ImageDefinition:
    """What an expression knows as `image`: `size` in bytes and the layout."""

    size: int
    layout: Layout


def define_image(definition: Mapping[str, Any]) -> ImageDefinition:
    """Lay out an image: from 1 MiB on, each partition where the one before ends.

    The partition without a size takes what is left, but for the last MiB, as sfdisk aligns it.
    """
    sector = int(definition.get("sector_size", 512))
    size, table = int(definition["size"]), definition["table"]
    align = MIB // sector
    end = size // sector // align * align - align
    position, slots = align, []
    for index, part in enumerate(table["partitions"]):
        if unknown := sorted(set(part) - _KNOWN):
            raise malformed(f"partition {part.get('name', index + 1)} has unknown keys: {', '.join(unknown)}")
        start = int(part.get("start", position))
        length = int(part.get("size", end - start))
        if start < position or length <= 0 or start + length > end:
            raise malformed(f"partition {part.get('name', index + 1)} does not fit into {size} bytes")
        number = int(part.get("partnum", index + 1))
        slots.append(_slot(part, number, start, length))
        position = start + length
    return ImageDefinition(size, Layout(table["label"], table["uuid"], tuple(slots)))


def _slot(part: Mapping[str, Any], number: int, start: int, size: int) -> Slot:
    fields: dict[str, Any] = {"name": part["name"], "start": start, "size": size, "type": part["type"]}
    if "partnum" in part:
        fields["partnum"] = number
    fields |= {key: part[key] for key in ("bootable", "uuid", "attrs") if key in part}
    return Slot(part.get("id", part["name"]), number, start, size, fields)

"""Partition layouts as `mpp-define-images` computes them with sfdisk, but without sfdisk or a disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bootimg.manifest.model import malformed_manifest
from bootimg.sizes import MIB, align_up

_PARTITION_KEYS = {"id", "name", "type", "size", "start", "uuid", "bootable", "attrs", "partnum"}


@dataclass(frozen=True, slots=True)
class Slot:
    """A partition of a layout; `start` and `size` in sectors, `fields` as the sfdisk stage needs them."""

    name: str
    partnum: int
    start: int
    size: int
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ImageLayout:
    """A partition table; expressions select a partition by its name (`layout['root'].start`)."""

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
    """The variable `image` of expressions: `size` in bytes and the layout."""

    size: int
    layout: ImageLayout


def define_image(definition: Mapping[str, Any]) -> ImageDefinition:
    """Lay out an image as sfdisk does: each partition starts at a whole MiB after the previous one.

    The first starts at 1 MiB.  The partition without a size gets the rest, up to the last whole MiB before
    the backup table.
    """
    sector = int(definition.get("sector_size", 512))
    size, table = int(definition["size"]), definition["table"]
    if table.get("label") != "gpt" or set(table) - {"label", "uuid", "partitions"}:
        raise malformed_manifest(
            f"only GPT can be laid out, not {sorted(set(table))} with {table.get('label')}"
        )
    align = MIB // sector
    # The backup GPT: a header and 128 entries of 128 bytes.
    end = (size // sector - 1 - 128 * 128 // sector) // align * align
    position, slots = align, list[Slot]()
    for part in table["partitions"]:
        if unknown := sorted(set(part) - _PARTITION_KEYS):
            raise malformed_manifest(f"partition {part.get('name')} has unknown keys: {', '.join(unknown)}")
        start = int(part.get("start", align_up(position, align)))
        length = int(part.get("size", end - start))
        number = int(part.get("partnum") or _free({slot.partnum for slot in slots}))
        if start < position or length <= 0 or start + length > end:
            raise malformed_manifest(f"partition {number} does not fit into {size} bytes")
        slots.append(_slot(part, number, start, length))
        position = start + length
    return ImageDefinition(size, ImageLayout(table["label"], table["uuid"], tuple(slots)))


def _free(allocated: set[int]) -> int:
    return next(number for number in range(1, 129) if number not in allocated)


def _slot(part: Mapping[str, Any], number: int, start: int, size: int) -> Slot:
    fields = {"start": start, "partnum": number, "size": size}
    fields |= {key: part[key] for key in ("type", "bootable", "name", "uuid", "attrs") if part.get(key)}
    return Slot(part.get("id") or part.get("name", ""), number, start, size, fields)

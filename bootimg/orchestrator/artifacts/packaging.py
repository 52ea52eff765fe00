"""What the packagers need from a layer: the names of its appliances, and their values in its image.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bootimg.disk.extents import FileSource, Source
from bootimg.errors import BootimgError
from bootimg.events import Step
from bootimg.formats import Packing, Written
from bootimg.formats.ova.ovf import Product
from bootimg.formats.packager import Content
from bootimg.formats.packagers import packager_of
from bootimg.layer.declared.imagejson import PATH as IMAGE_JSON
from bootimg.layer.declared.imagejson import ImageJson
from bootimg.manifest.recipe import PlatformDisk
from bootimg.orchestrator.recipes.prepare import Layer
from bootimg.platform import Ovf, Platform


@dataclass(frozen=True, slots=True)
class Packer:
    """Writes artifacts of one layer, each with its platform's packaging."""

    layer: Layer
    packing: Packing
    step: Step

    def write(self, platform: Platform, disk: PlatformDisk, source: Source, out: Path) -> Written:
        """Write the artifact `out` from a platform's disk, as the recipe says."""
        content = content_of(self.layer, platform, disk, source)
        return packager_of(platform).write(content, out, self.step, self.packing)


def content_of(layer: Layer, platform: Platform, disk: PlatformDisk, source: Source) -> Content:
    """A platform's disk of a layer, to be wrapped."""
    return Content(
        platform=platform,
        disk=disk,
        source=source,
        arch=layer.image.arch,
        product=product_of(layer),
        layer_values=partial(layer_values, layer.facts.image_json),
    )


def wrap_exported(layer: Layer, platform: Platform, exported: Path, out: Path) -> Path:
    """The artifact from osbuild's export for a platform: the export itself, or `out`, which wraps it."""
    disk = PlatformDisk(platform.name, platform.ignition_id, None, None, exported.name, platform.disk_format,
                        platform.format_options)  # fmt: skip
    with FileSource(exported) as source:
        return packager_of(platform).wrap(content_of(layer, platform, disk, source), exported, out)


def product_of(layer: Layer) -> Product:
    """How an appliance describes itself, from os-release and the labels."""
    release = layer.facts.os_release
    return Product(
        name=f"{layer.facts.osname}-{layer.facts.version}",
        product=release.get("NAME", layer.facts.osname),
        vendor=release.get("VENDOR_NAME") or release.get("ID", layer.facts.osname),
        version=layer.facts.version,
    )


def assumption(platform: Platform, image_json: ImageJson) -> str | None:
    """A sentence that lists the defaults used for values that image.json does not set, or None."""
    options = platform.packaging_options
    values = options.layer_values if isinstance(options, Ovf) else {}
    unset = [f"{key} ({json.dumps(value)} is used)" for key, value in values.items()
             if key not in image_json.others]  # fmt: skip
    return f"{platform.name}: /{IMAGE_JSON} does not set {', '.join(unset)}" if unset else None


def layer_values(image_json: ImageJson, defaults: Mapping[str, str | int | bool]) -> dict[str, str]:
    """The values of the keys of `defaults` as texts, from image.json if it has them, else the defaults."""
    found = {key: image_json.others.get(key, default) for key, default in defaults.items()}
    for key, value in found.items():
        # In Python, True is an integer.
        if type(value) is not type(defaults[key]):
            raise _malformed(key, type(defaults[key]))
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in found.items()
    }


def _malformed(key: str, kind: type) -> BootimgError:
    expected = {bool: "true or false", int: "a number"}.get(kind, "a string")
    return BootimgError(
        "image-json-malformed",
        f"/{IMAGE_JSON} of the image is malformed: {key} has a value of the wrong type",
        hint=f"{key} must be {expected}",
    )

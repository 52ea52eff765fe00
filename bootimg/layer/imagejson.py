"""/usr/share/coreos-assembler/image.json: what the layer says of the images to be made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bootimg.errors import BootimgError

PATH = "usr/share/coreos-assembler/image.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageJson:
    """The keys bootimg acts on; `others` keeps the rest (`vmware-*`, `aws-*`, `live-*` …) as they are.

    `size` is the size of cloud images in GiB.
    """

    size: int | None = None
    extra_kargs: tuple[str, ...] = ()
    compressor: str | None = None
    platform_compressor: Mapping[str, str] = field(default_factory=dict)
    container_imgref: str | None = None
    bootc_install_to_fs: bool = False
    others: Mapping[str, Any] = field(default_factory=dict)


def parse_image_json(data: bytes) -> ImageJson:
    """The typed document; `image-json-malformed` names the key that is not what it should be."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _malformed(f"it is not JSON ({error})") from None
    if not isinstance(document, dict):
        raise _malformed("it is not a JSON object")
    left = dict(document)
    size = _take(left, "size", int)
    if size is not None and not 0 < size <= 1 << 20:
        raise _malformed(f"size is {size}; it is a number of GiB above zero")
    kargs = _take(left, "extra-kargs", list) or []
    platform_compressor = _take(left, "platform-compressor", dict) or {}
    for key, texts in (("extra-kargs", kargs), ("platform-compressor", list(platform_compressor.values()))):
        if not all(isinstance(text, str) for text in texts):
            raise _malformed(f"{key} holds something that is not a string")
    return ImageJson(
        size=size,
        extra_kargs=tuple(kargs),
        compressor=_take(left, "compressor", str),
        platform_compressor=platform_compressor,
        container_imgref=_take(left, "container-imgref", str),
        bootc_install_to_fs=bool(_take(left, "bootc-install-to-fs", bool)),
        others=left,
    )


def _take(document: dict[str, Any], key: str, kind: type) -> Any:  # noqa: ANN401
    value = document.pop(key, None)
    # bool is an int to Python, not to JSON.
    if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise _malformed(f"{key} is {json.dumps(value)[:60]}, which is no {kind.__name__}")
    return value


def _malformed(what: str) -> BootimgError:
    return BootimgError(
        "image-json-malformed",
        f"/{PATH} of the image is not what it should be: {what}",
        hint="coreos-assembler's image.yaml, flattened to JSON, is what belongs there",
    )

"""/usr/share/coreos-assembler/image.json: what the layer says of the images to be made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bootimg.errors import BootimgError, ExitCode
from bootimg.kernelarg import KernelArgument, parse_arguments
from bootimg.layer.declared.imagekeys import HARMLESS, LATER, VALUES
from bootimg.platform import layer_keys
from bootimg.printable import shown

PATH = "usr/share/coreos-assembler/image.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageJson:
    """The keys a disk is made by; `others` keeps those of `imagekeys.LATER` as they are.

    `size` is the size of cloud images in GiB.
    """

    size: int | None = None
    extra_kargs: tuple[KernelArgument, ...] = ()
    compressor: str | None = None
    platform_compressor: Mapping[str, str] = field(default_factory=dict)
    container_imgref: str | None = None
    bootc_install_to_fs: bool = False
    others: Mapping[str, Any] = field(default_factory=dict)


def parse_image_json(data: bytes) -> ImageJson:
    """The typed document.

    Errors: `image-json-malformed` names the key that is not what it should be, `image-json-unsupported` the
    key or value that would make another disk, `kernel-argument-invalid`.
    """
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
    found = ImageJson(
        size=size,
        extra_kargs=parse_arguments(kargs, f"/{PATH}: extra-kargs"),
        compressor=_take(left, "compressor", str),
        platform_compressor=platform_compressor,
        container_imgref=_take(left, "container-imgref", str),
        bootc_install_to_fs=bool(_take(left, "bootc-install-to-fs", bool)),
        others={key: left.pop(key) for key in sorted({*LATER, *layer_keys()} & left.keys())},
    )
    for key, value in left.items():
        _check_other(key, value)
    return found


def _check_other(key: str, value: object) -> None:
    """Refuse a key that nobody knows, and a value of a known one that makes another disk than ours."""
    if key in VALUES:
        allowed = VALUES[key]
        if not any(value == each and type(value) is type(each) for each in allowed):
            meant = " or ".join(json.dumps(each) for each in allowed)
            raise _unsupported(f"{key} is {shown(value)}", f"bootimg's disks are those of {key}: {meant}")
    elif key not in HARMLESS:
        raise _unsupported(
            f"{shown(key)} is no key that coreos-assembler or bootimg knows",
            "correct or remove it where the layer is made, or install the platform's plugin that takes it",
        )


def _take(document: dict[str, Any], key: str, kind: type) -> Any:  # noqa: ANN401
    value = document.pop(key, None)
    # bool is an int to Python, not to JSON.
    if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise _malformed(f"{key} is {json.dumps(value)[:60]}, which is no {kind.__name__}")
    return value


def _unsupported(what: str, hint: str) -> BootimgError:
    return BootimgError(
        "image-json-unsupported",
        f"/{PATH} of the image asks for what bootimg does not do",
        context=[what],
        hint=hint,
        exit_code=ExitCode.USAGE,
    )


def _malformed(what: str) -> BootimgError:
    return BootimgError(
        "image-json-malformed",
        f"/{PATH} of the image is not what it should be: {what}",
        hint="coreos-assembler's image.yaml, flattened to JSON, is what belongs there",
    )

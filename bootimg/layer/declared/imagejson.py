"""/usr/share/coreos-assembler/image.json: the layer's settings for its boot images."""

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
from bootimg.untrusted.jsonfile import parse_object

PATH = "usr/share/coreos-assembler/image.json"
_LARGEST = 1 << 20


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
    fields = parse_object(data, _malformed)
    found = ImageJson(
        size=fields.number("size", 1, _LARGEST),
        extra_kargs=parse_arguments(fields.each("extra-kargs", str), f"/{PATH}: extra-kargs"),
        compressor=fields.take("compressor", str),
        platform_compressor={
            name: each.of(str) for name, each in fields.members("platform-compressor").items()
        },
        container_imgref=fields.take("container-imgref", str),
        bootc_install_to_fs=bool(fields.take("bootc-install-to-fs", bool)),
        others={key: fields.at(key).value for key in sorted({*LATER, *layer_keys()}) if key in fields},
    )
    for key in fields:
        _check_other(key, fields.values[key])
    return found


def _check_other(key: str, value: object) -> None:
    """Refuse an unknown key, and a value of a known key that asks for another disk than bootimg makes."""
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

"""How each artifact of a build was made: what the same bytes can be made from again.

It is in bootimg.json as `made`, by the artifacts' keys in meta.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bootimg.untrusted.node import Fields

FROM_METAL, BY_OSBUILD = "metal", "osbuild"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The request and the program that an artifact was made by.

    `bootimg` is the program's version.  `deploy` is how its base disk was made (native, appliance, layer),
    `metal` if the build's metal image was used instead of one, `osbuild` if osbuild made the image.
    `target_imgref` is the origin of the deployment.  `size` is the requested size in bytes of platforms'
    disks, or None.
    """

    bootimg: str
    deploy: str
    target_imgref: str
    size: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Its keys in the file."""
        size = {} if self.size is None else {"size": self.size}
        return {
            "bootimg": self.bootimg,
            "deploy": self.deploy,
            "target-imgref": self.target_imgref,
            **size,
        }


def read_made(fields: Fields) -> Made:
    """The value of an artifact's key."""
    return Made(
        bootimg=fields.required("bootimg", str),
        deploy=fields.required("deploy", str),
        target_imgref=fields.required("target-imgref", str),
        size=fields.number("size"),
    )

"""How each artifact of a build was made: what the same bytes can be made from again.

It is in bootimg.json as `made`, by the artifacts' keys in meta.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bootimg.untrusted.node import Fields

FROM_METAL, BY_OSBUILD = "metal", "osbuild"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The request and the program that an artifact was made by.

    `bootimg` is the program's version.  `deploy` is how its base disk was made (native, appliance, layer),
    `metal` if the build's metal image was used instead of one, `osbuild` if osbuild made the image.
    `target_imgref` is the origin of the deployment.  `size` is the requested size in bytes of platforms'
    disks, or None.  A `draft` was made quickly and is larger.  `programs` are programs and files of other
    projects whose version decides on the bytes, by name, each with its version and, where both are possible,
    whether it is the layer's or the machine's.  `recipe` is the digest of the disk recipes.
    """

    bootimg: str
    deploy: str
    target_imgref: str
    size: int | None = None
    draft: bool = False
    programs: Mapping[str, str] = field(default_factory=dict)
    recipe: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Its keys in the file."""
        some = {
            "size": self.size,
            "draft": self.draft or None,
            "programs": dict(self.programs) or None,
            "recipe": self.recipe,
        }
        return {
            "bootimg": self.bootimg,
            "deploy": self.deploy,
            "target-imgref": self.target_imgref,
            **{key: value for key, value in some.items() if value is not None},
        }


def read_made(fields: Fields) -> Made:
    """The value of an artifact's key."""
    return Made(
        bootimg=fields.required("bootimg", str),
        deploy=fields.required("deploy", str),
        target_imgref=fields.required("target-imgref", str),
        size=fields.number("size"),
        draft=fields.take("draft", bool) or False,
        programs={key: each.of(str) for key, each in fields.members("programs").items()},
        recipe=fields.take("recipe", str),
    )

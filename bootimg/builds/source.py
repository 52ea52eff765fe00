"""The layer that a build was made from: where it was got.  It is in bootimg.json as `source`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bootimg.untrusted.node import Fields


@dataclass(frozen=True, slots=True)
class Source:
    """The layer's package URL, with its digest, and the image of a registry as the user named it.

    `image` is None if the layer came from a file or a folder, whose path means nothing elsewhere.
    """

    uri: str
    image: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Its keys in the file."""
        return {"uri": self.uri, **({"image": self.image} if self.image else {})}


def read_source(fields: Fields) -> Source:
    """The value of the key."""
    return Source(fields.required("uri", str), fields.take("image", str))

"""The aleph, a file at the root of a disk that records what the machine was first installed from.

Its structure and names are those of osbuild's stage org.osbuild.ostree.aleph for a container deployment.
kola and the live media read `version` and `container-image.image-labels` from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version

ALEPH = ".aleph-version.json"
COREOS_ALEPH = ".coreos-aleph-version.json"


def image_name(imgref: str) -> str:
    """The container image's name in an ostree image reference, without its signature policy."""
    scheme, _, rest = imgref.partition(":")
    if scheme in ("ostree-remote-registry", "ostree-remote-image"):
        return rest.partition(":")[2]
    return rest


def aleph_json(imgref: str, config_digest: str, labels: Mapping[str, str]) -> bytes:
    """The aleph file of a deployment whose origin is `imgref`.

    `image-digest` is the digest of the image's config, as osbuild writes it.
    """
    aleph: dict[str, object] = {
        "bootimg-version": version("bootimg"),
        "ref": imgref,
        "version": labels["org.opencontainers.image.version"],
        "container-image": {
            "image-name": image_name(imgref),
            "image-digest": config_digest,
            "image-labels": dict(labels),
        },
    }
    if commit := labels.get("ostree.commit"):
        aleph["ostree-commit"] = commit
    return json.dumps(aleph, indent=4, sort_keys=True).encode() + b"\n"

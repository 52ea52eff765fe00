"""The digest of the disk recipes that this bootimg has."""

from __future__ import annotations

import functools
import hashlib
from importlib.resources import files

from bootimg.manifest.render import RECIPES


@functools.cache
def recipes_digest() -> str:
    """The digest in hex of the folder with all recipes.

    It is in-toto's `dirHash` (github.com/in-toto/attestation/blob/main/spec/v1/digest_set.md): what
    `sha256sum *.yaml | sha256sum` prints in that folder.
    """
    found = sorted(
        (each for each in files(RECIPES).iterdir() if each.name.endswith(".yaml")), key=lambda each: each.name
    )
    lines = [f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in found]
    return hashlib.sha256("".join(lines).encode()).hexdigest()

"""The stand-in CoreOS layer: a bootable OCI image made of Debian packages, see docs/stand-in-layer.md."""

from __future__ import annotations

from pathlib import Path

from bootimg.arch import Arch
from tests.layer.build import build, why_not
from tests.layer.recipe import Flavour, Form, Request, UnsupportedError, Variant

__all__ = ["Flavour", "Form", "Request", "UnsupportedError", "Variant", "stand_in", "why_not"]


def stand_in(
    flavour: str = "debian",
    form: str = "plain",
    version: str = "",
    variant: str = "base",
    *,
    arch: Arch = Arch.X86_64,
    refresh: bool = False,
) -> Path:
    """The OCI archive of a stand-in layer; made, in minutes, if the test cache does not have it."""
    request = Request(Flavour(flavour), Form(form), Variant(variant), version, arch)
    return build(request, refresh=refresh)

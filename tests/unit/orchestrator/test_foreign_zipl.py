"""Disks of s390x on a machine of x86_64: planned natively, for every platform."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import open_tree
from bootimg.orchestrator.plan import make_plan
from bootimg.orchestrator.request import Request
from bootimg.platform import platform, platforms
from tests.support.arches.zipldisks import stage3
from tests.support.layers import oci
from tests.unit.orchestrator.test_foreign import why

S390X = Arch.S390X
PLATFORMS = {"ibmcloud", "kubevirt", "metal", "metal4k", "openstack", "qemu"}


def test_the_platforms_of_s390x() -> None:
    assert {
        each.name for each in platforms().values() if S390X in each.arches and each.buildable
    } == PLATFORMS


def test_every_platform_is_planned_natively(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Arch, "of_machine", lambda: Arch.X86_64)
    cache = Cache(tmp_path / "cache")
    layout = oci.Layout(tmp_path / "image")
    zipl = oci.file("usr/lib/s390-tools/stage3.bin", stage3())
    layout.add([oci.bootable(zipl, bootloader=False)], arch=S390X.oci)
    open_tree(fetch(str(layout.path), arch=S390X, cache=cache, events=Events()), cache, Events())
    request = Request(
        reference=str(layout.path),
        arch=S390X,
        platforms=tuple(platform(name, S390X) for name in sorted(PLATFORMS)),
        builds=tmp_path / "builds",
        accelerator="tcg",
    )
    plan = make_plan(request, cache)
    assert len(plan.artifacts) == len(PLATFORMS) + 1
    assert why(plan).endswith("; natively")

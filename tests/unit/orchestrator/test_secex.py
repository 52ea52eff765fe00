"""When an image for Secure Execution is refused, and when it is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.errors import BootimgError
from bootimg.orchestrator.leftout import leave_out
from bootimg.orchestrator.request import Builder, Request
from bootimg.orchestrator.selection import named, select
from bootimg.orchestrator.targets.secex import Secex


def request(tmp_path: Path, *names: str) -> Request:
    platforms, selection = select(named(names, Arch.S390X), None, Arch.S390X)
    return Request(
        reference="", arch=Arch.S390X, platforms=platforms, builds=tmp_path / "builds", selection=selection
    )


def allowed(tmp_path: Path, found: Request) -> Request:
    key = tmp_path / "host.crt"
    key.write_text("certificate")
    return replace(found, experimental=True, host_keys=(key,))


def refused(found: Request) -> str:
    with pytest.raises(BootimgError) as caught:
        Secex().require(found)
    return caught.value.id


def test_it_is_refused_unless_it_is_allowed_and_a_machine_named(tmp_path: Path) -> None:
    found = request(tmp_path, "qemu-secex")
    assert leave_out(found) is found
    assert refused(found) == "experimental-only"
    assert refused(replace(found, experimental=True)) == "hostkey-missing"
    whole = allowed(tmp_path, found)
    assert refused(replace(whole, experimental=False)) == "experimental-only"
    assert refused(replace(whole, host_keys=(tmp_path / "none.crt",))) == "hostkey-missing"
    assert refused(replace(whole, builder=Builder.OSBUILD)) == "platform-not-buildable"
    Secex().require(whole)


def test_all_leaves_it_out_unless_it_can_be_made(tmp_path: Path) -> None:
    found = request(tmp_path, "all")
    reasons = leave_out(found).selection.left_out
    assert "--experimental" in reasons["qemu-secex"]
    named_none = leave_out(replace(found, experimental=True)).selection.left_out
    assert "--hostkey" in named_none["qemu-secex"]
    whole = leave_out(allowed(tmp_path, found))
    assert "qemu-secex" not in whole.selection.left_out
    assert "qemu-secex" in [each.name for each in whole.selection.targets]


def test_it_is_made_from_the_disk_of_qemu(tmp_path: Path) -> None:
    found = request(tmp_path, "qemu-secex")
    assert found.platforms == ()
    assert [each.name for each in found.disk_platforms] == ["qemu"]

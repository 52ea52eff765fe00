"""`inspect` and `verify` of the live media of a real build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live.test_live import KEYS, Made, made

__all__ = ["made"]
pytestmark = [pytest.mark.real, pytest.mark.matrix]


def said(made: Made, *words: str | Path, code: int = 0) -> dict[str, Any]:
    """What the program says as JSON."""
    done = made.built.workspace.bootimg(*words, "--json", check=False)
    assert done.returncode == code, done.stderr.decode()
    return dict(json.loads(done.stdout))


# The stand-in layer has no programs for the pivot.
PIVOT = {"pivot-program", "pivot-unit"}


def test_the_build_and_its_iso_break_no_other_rule(made: Made) -> None:
    found = said(made, "verify", made.built.artifact("live-iso"), code=1)
    assert (found["kind"], {each["rule"] for each in found["findings"]}) == ("iso", PIVOT)
    assert {each["where"] for each in found["findings"]} == {"deployment in rhcos"}
    # The same rules are broken by the layer and by the system inside the ISO.
    inside = said(made, "verify", "--deep", made.built.path, code=1)["findings"]
    broken: dict[str, list[tuple[str, str]]] = {}
    for each in inside:
        broken.setdefault(each["where"].partition(":")[0], []).append((each["rule"], each["evidence"]))
    assert broken.keys() == {"ostree", "live-iso"}
    assert broken["ostree"] == broken["live-iso"]


def test_the_iso_has_the_packages_of_the_layer(made: Made, layer: Path) -> None:
    packages = said(made, "inspect", made.built.artifact("live-iso"))["packages"]
    assert len(packages) > 10
    assert packages
    assert packages == said(made, "inspect", layer)["packages"]


def test_what_the_iso_has(made: Made) -> None:
    meta = made.built.meta
    found = said(made, "inspect", made.built.artifact("live-iso"))
    label = f"{meta['name']}-{meta['buildid']}"
    assert found["volume-id"] == label[:32]
    assert f"coreos.liveiso={found['volume-id']}" in found["kargs"].split()
    assert found["kargs"] == found["kargs-default"]
    assert (found["arch"], found["boots-as-disk"], found["embedded"]) == ("x86_64", True, [])
    assert [each["platform"] for each in found["boot"]] == [0, 0xEF]
    assert len(found["kargs-areas"]) == 2
    assert found["ignition-area"]["length"] == 262144
    assert found["initramfs"]["version"] == found["rootfs"]["version"] == meta["buildid"]
    assert found["initramfs"]["rootfs-checksums"] is True
    assert found["rootfs"]["filesystem"]["type"] in ("squashfs", "erofs")
    assert found["minimal-iso"]["problem"] is None
    # Only a layer with coreos-installer can use osmet files.
    installer = found["features"]["installer-config"]
    sectors = [each["sector-size"] for each in found["rootfs"]["osmet"]]
    assert sectors == ([512, 4096] if installer else [])


def test_what_the_build_has(made: Made) -> None:
    live = said(made, "inspect", made.built.path)["live"]
    assert live["iso"]["problem"] is None
    assert live["initramfs"] == live["iso"]["initramfs"]
    assert live["rootfs"] == live["iso"]["rootfs"]
    assert live["rootfs"]["size"] == made.built.meta["images"][KEYS[-1]]["size"]


def test_a_byte_of_the_rootfs_is_missed(made: Made, tmp_path: Path) -> None:
    data = bytearray(made.built.artifact("live-iso").read_bytes())
    rootfs = data.index(made.built.artifact("live-rootfs").read_bytes()[:4096])
    data[rootfs + (8 << 20)] ^= 1
    iso = tmp_path / "changed.iso"
    iso.write_bytes(data)
    findings = said(made, "verify", iso, code=1)["findings"]
    [found] = [each for each in findings if each["rule"] not in PIVOT]
    assert found["rule"] == "live-stream-hash"
    assert str(8 << 20) in found["evidence"]

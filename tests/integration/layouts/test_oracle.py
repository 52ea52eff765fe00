"""The disk that bootimg writes against the one that the appliance makes of the same layer.

The layer's own programs in a virtual machine are the oracle.  Each difference is named by a rule here.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.boots.test_coreos import layer_of
from tests.integration.conftest import Workspace
from tests.integration.layouts.diskfacts import DiskFacts, facts_of_disk, unexplained
from tests.layer import Flavour, Form, Variant

pytestmark = pytest.mark.real

PLATFORMS = {512: "qemu", 4096: "metal4k"}
FORMS = (Form.PLAIN, Form.ENCAPSULATED, Form.DERIVED)
DEFAULT = (Flavour.DEBIAN, Form.PLAIN, Variant.BASE, 512)
EVERY = [
    *((flavour, form, Variant.BASE, size) for flavour in Flavour for form in FORMS for size in PLATFORMS),
    (Flavour.DEBIAN, Form.PLAIN, Variant.COMPOSEFS, 512),
]
OBJECTS = "ostree/repo/objects"
IMAGE = ".ostree.cfs"
# What ostree 2025.2 and older write whether there are such files or not.
ANDROID = ("aboot ", "abootcfg ")


@dataclass(frozen=True)
class Both:
    """A layer's two disks."""

    variant: Variant
    theirs: DiskFacts
    ours: DiskFacts
    first: tuple[bytes, bytes]
    """The first 2 MiB of theirs and of ours."""

    @property
    def now(self) -> int:
        """The recipe's source epoch: the time of all that ostree stamps by the clock."""
        return int(self.ours.root[""]["mtime"])


def made(workspace: Workspace, builds: Path, layer: Path, sector: int, way: str) -> Path:
    """The base disk that is made in one of the ways, and in no other."""
    own = Workspace(workspace.cache, builds)
    done = own.bootimg("build", layer, "-p", PLATFORMS[sector], "--deploy", way, "--json")
    disk = Path(json.loads(done.stdout)["base-disks"][str(sector)])
    seal = json.loads(disk.with_name("seal.json").read_bytes())
    assert seal["way"] == way, done.stderr.decode()
    return disk


def start_of(disk: Path) -> bytes:
    with disk.open("rb") as file:
        return file.read(2 << 20)


@pytest.fixture(
    scope="module",
    params=[pytest.param(each, marks=[] if each == DEFAULT else pytest.mark.matrix) for each in EVERY],
    ids=lambda each: "-".join(map(str, each)),
)
def both(
    request: pytest.FixtureRequest, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> Both:
    if os.geteuid() != 0:
        pytest.skip("mounts the disks on this machine: needs root")
    flavour, form, variant, sector = request.param
    layer, folder = layer_of(flavour, form, variant), tmp_path_factory.mktemp("both")
    kept = {*workspace.cache.glob("bases/*")}
    theirs, ours = (made(workspace, folder / way, layer, sector, way) for way in ("appliance", "native"))
    found = Both(
        variant,
        facts_of_disk(theirs, sector, folder / "theirs"),
        facts_of_disk(ours, sector, folder / "ours"),
        (start_of(theirs), start_of(ours)),
    )
    # All disks of the matrix would be fifty gigabytes.
    for each in {folder, theirs.parent, ours.parent} - kept:
        shutil.rmtree(each)
    return found


def test_the_root_is_the_appliance_s(both: Both) -> None:
    found = unexplained(both.theirs.root, both.ours.root, now=both.now, made=both.theirs.made)
    # setfiles leaves out the objects with their folders, and the deployment with its composefs image.
    # It labels `upper` by its path.
    assert set(found) == {"xattrs"}
    others = {name for name in found["xattrs"] if not name.startswith(OBJECTS)}
    image = {IMAGE} if both.variant is Variant.COMPOSEFS else set()
    assert {name.rpartition("/")[2] for name in others} == {"upper", *image}
    assert len(both.ours.root) > 20_000


def test_the_composefs_image_is_the_appliance_s(both: Both) -> None:
    images = [name for name in both.ours.root if name.rpartition("/")[2] == IMAGE]
    assert len(images) == (1 if both.variant is Variant.COMPOSEFS else 0)
    for name in images:
        assert both.ours.root[name]["content"] == both.theirs.root[name]["content"]


def test_boot_is_the_appliance_s(both: Both) -> None:
    found = unexplained(both.theirs.boot, both.ours.boot, now=both.now, made=both.theirs.made)
    # The ostree of the variant `composefs` is newer.
    android = {} if both.variant is Variant.COMPOSEFS else {"content": {"loader.1/entries/ostree-1.conf"}}
    assert found == android
    assert [line for line in both.theirs.entry.splitlines() if not line.startswith(ANDROID)] == (
        both.ours.entry.splitlines()
    )
    assert "grub2/grub.cfg" in both.ours.boot


def test_the_esp_is_the_appliance_s(both: Both) -> None:
    assert both.ours.esp == both.theirs.esp
    assert "EFI" in both.ours.esp


def test_the_partition_table_and_the_boot_code_are_the_appliance_s(both: Both) -> None:
    theirs, ours = both.first
    assert ours == theirs

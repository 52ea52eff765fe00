"""Every flavour of the layer in every form: what is deployed is the image's tree, and it boots.

Two of these pairs boot elsewhere, where more is asked of them: Debian's plain one in test_boot, and the
derived one with the real tools in test_coreos.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootimg.arches.row import Firmware
from tests.integration.boots import test_boot, test_coreos
from tests.integration.builds.test_disk import OUTSIDE, as_root, described, merged_tree, output, unpack
from tests.integration.conftest import Built, Workspace
from tests.integration.layers.test_stand_in_forms import pull
from tests.layer import Flavour, Form, tools

pytestmark = [pytest.mark.real, pytest.mark.matrix]

FORMS = [(flavour, form) for flavour in Flavour for form in (Form.PLAIN, Form.ENCAPSULATED, Form.DERIVED)]
BOOTED_ELSEWHERE = {(Flavour.DEBIAN, Form.PLAIN), (Flavour.COREOS, Form.DERIVED)}
BOOTED = [pair for pair in FORMS if pair not in BOOTED_ELSEWHERE]


@dataclass(frozen=True)
class FormOf:
    """A layer and what has been built of it."""

    flavour: Flavour
    form: Form
    layer: Path
    built: Built


@pytest.fixture(scope="module")
def made(
    request: pytest.FixtureRequest, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> FormOf:
    flavour, form = request.param
    built = test_coreos.built_of(flavour, form, workspace, tmp_path_factory.mktemp(form))
    return FormOf(flavour, form, test_coreos.layer_of(flavour, form), built)


def unpacked(made: FormOf, folder: Path) -> Path:
    """The image's tree as another program unpacks it: umoci, or the real `ostree container`."""
    if made.form is Form.PLAIN:
        return unpack(made.layer, folder)
    repo, ref = pull(made.layer, folder, "bare")
    output("ostree", f"--repo={repo}", "checkout", "--force-copy", ref, folder / "tree")
    return folder / "tree"


@as_root
@pytest.mark.parametrize("made", FORMS, indirect=True, ids="-".join)
def test_the_deployed_tree_is_the_image_s(made: FormOf, tmp_path: Path) -> None:
    if made.form is not Form.PLAIN and (reason := tools.why_not(tools.OSTREE_EXT)):
        pytest.skip(reason)
    tree = unpacked(made, tmp_path)
    wanted = merged_tree(tree) if made.form is Form.PLAIN else described(tree, OUTSIDE)
    with test_coreos.mounted_disk(made.built, tmp_path) as root:
        [deployment] = (path for path in root.glob("ostree/deploy/rhcos/deploy/*") if path.is_dir())
        found = described(deployment, OUTSIDE)
    assert len(wanted) > 10_000
    assert sorted(found) == sorted(wanted)
    assert {name: (found[name], wanted[name]) for name in wanted if found[name] != wanted[name]} == {}


@pytest.mark.boot
@pytest.mark.parametrize("firmware", [Firmware.BIOS, Firmware.UEFI])
@pytest.mark.parametrize("made", BOOTED, indirect=True, ids="-".join)
def test_it_boots(made: FormOf, firmware: Firmware, tmp_path: Path) -> None:
    check: Callable[[Path, Path, Firmware], None] = {
        Flavour.COREOS: _check_coreos,
        Flavour.DEBIAN: _check_debian,
    }[made.flavour]
    check(made.built.artifact("qemu"), tmp_path, firmware)


def _check_coreos(image: Path, folder: Path, firmware: Firmware) -> None:
    test_coreos.assert_well(test_coreos.report(image, folder, firmware))


def _check_debian(image: Path, folder: Path, firmware: Firmware) -> None:
    disk, config = folder / "disk.qcow2", folder / "config.ign"
    shutil.copyfile(image, disk)
    config.write_bytes(test_boot.ignition("by-ignition"))
    found = test_boot.boot(disk, folder / "console.log", config, firmware)
    assert (found["file"], found["failed"]) == ("by-ignition", "[]")
    assert found["root"] != test_boot.ROOT_STAMP

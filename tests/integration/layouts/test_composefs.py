"""A layer that boots by composefs: its root is the image `.ostree.cfs` that bootimg wrote.

That the image and all else on the disk are what the layer's ostree makes is in test_oracle.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass

import pytest

from bootimg.arches.row import Firmware
from tests.integration.boots.test_boot import boot, ignition
from tests.integration.conftest import Built, Workspace
from tests.layer import Variant, stand_in

pytestmark = [pytest.mark.real, pytest.mark.matrix, pytest.mark.boot]

# `names` are of type, mode, owner, size, target and path; the deployment's checkout is below /sysroot.
SCRIPT = r"""
say() { echo "REPORT-$((6*7)) $1"; }
may() { touch "$1/written" 2> /tmp/refused && echo yes || echo no: $(< /tmp/refused); }
names() {
    (cd "$1" && find . \( -type d -printf '%p %y %m %U %G\n' \) -o -printf '%p %y %m %U %G %s %l\n') |
        LC_ALL=C sort > "/tmp/$2"
}
deployments=(/sysroot/ostree/deploy/*/deploy/*.0)
checkout=${deployments[0]}
echo boot >> /etc/boots
echo boot >> /var/boots
names /usr mounted
names "$checkout/usr" checkout
say "root=$(findmnt -no FSTYPE,SOURCE /)"
say "options=$(findmnt -no OPTIONS /)"
say "erofs=$(lsmod | grep '^erofs ')"
say "deployment=$(ostree admin status | tr '\n' ' ')"
say "top=$(may /)"
say "usr=$(may /usr)"
say "sysroot=$(may /sysroot)"
say "etc=$(may /etc)"
say "var=$(may /var)"
say "boots=$(wc -l < /etc/boots) $(wc -l < /var/boots)"
say "names=$(wc -l < /tmp/mounted) $(cmp /tmp/mounted /tmp/checkout && echo same)"
say "programs=$(diff -r --no-dereference /usr/bin "$checkout/usr/bin" && echo same)"
say "file=$(cat /etc/written-by-ignition)"
say "failed=[$(systemctl --failed --no-legend --plain | cut -d' ' -f1 | tr '\n' ' ')]"
say "cmdline=$(cat /proc/cmdline)"
say "end=end"
"""


@dataclass(frozen=True)
class Boots:
    """What the first and the second boot of one disk reported."""

    first: dict[str, str]
    second: dict[str, str]


@pytest.fixture(scope="module")
def boots(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Boots:
    folder = tmp_path_factory.mktemp("composefs")
    own = Workspace(workspace.cache, folder / "builds")
    layer = stand_in(variant=Variant.COMPOSEFS)
    built = Built(own, json.loads(own.bootimg("build", layer, "-p", "qemu", "--json").stdout))
    assert json.loads(built.base.with_name("seal.json").read_bytes())["way"] == "native"
    disk, config = folder / "disk.qcow2", folder / "config.ign"
    shutil.copyfile(built.artifact("qemu"), disk)
    config.write_bytes(ignition("on-composefs", SCRIPT))
    first, second = (boot(disk, folder / f"{each}.log", config, Firmware.BIOS) for each in ("one", "two"))
    return Boots(first, second)


def test_the_root_is_the_composefs_image(boots: Boots) -> None:
    for found in (boots.first, boots.second):
        assert found["root"].split() == ["overlay", "composefs"]
        assert "metacopy=on" in found["options"]
        assert "/ostree/repo/objects" in found["options"]
        # Its third word is the number of file systems that use the module.
        assert int(found["erofs"].split()[2]) >= 1
        assert found["deployment"].lstrip().startswith("* rhcos")


def test_the_root_shows_what_the_deployment_holds(boots: Boots) -> None:
    count, _, same = boots.first["names"].partition(" ")
    assert int(count) > 13_000
    assert (same, boots.first["programs"]) == ("same", "same")


def test_only_etc_and_var_can_be_written(boots: Boots) -> None:
    for found in (boots.first, boots.second):
        assert (found["etc"], found["var"]) == ("yes", "yes")
        for place in ("top", "usr", "sysroot"):
            assert found[place].startswith("no:")
            assert "Read-only file system" in found[place]


def test_ignition_ran_once_and_what_was_written_is_there_again(boots: Boots) -> None:
    assert (boots.first["boots"], boots.second["boots"]) == ("1 1", "2 2")
    assert "ignition.firstboot" in boots.first["cmdline"]
    assert "ignition.firstboot" not in boots.second["cmdline"]
    for found in (boots.first, boots.second):
        assert (found["file"], found["failed"]) == ("on-composefs", "[]")

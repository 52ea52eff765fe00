"""A node's update: the layer's next version, from a registry, by the layer's own tools."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from bootimg.arches.row import Firmware
from tests.integration.boots.test_boot import boot, ignition
from tests.integration.boots.test_coreos import built_of, layer_of
from tests.integration.builds.test_disk import output
from tests.integration.conftest import Built, Workspace
from tests.layer import Flavour, Form, Variant
from tests.layer.recipe import CHANGED_VERSION, DEFAULT_VERSION

pytestmark = [pytest.mark.real, pytest.mark.matrix, pytest.mark.boot]

# QEMU's name for this machine's loopback.
# Of QEMU's own network, the one that leads a guest to the loopback here, where the registry is.
HOST, OPEN = "10.0.2.2", "user,id=net"
SCRIPT = """
# As rpm-ostree and bootc do it: /sysroot is writable for them alone.
[ "$(readlink /proc/self/ns/mnt)" != "$(readlink /proc/1/ns/mnt)" ] || exec unshare --mount bash "$0"
mount -o remount,rw /sysroot
say() { echo "REPORT-$((6*7)) $1"; }
line() { tr '\\n' ' '; }
. /usr/lib/os-release
say "version=$OSTREE_VERSION"
say "failed=[$(systemctl --failed --no-legend --plain | cut -d' ' -f1 | line)]"
if [ "$OSTREE_VERSION" = VERSION ]; then
    until curl -s http://REGISTRY/v2/ >/dev/null; do sleep 2; done
    say "pull=$(ostree container image pull /ostree/repo IMAGE 2>&1 | line)"
    say "deploy=$(ostree container image deploy --sysroot / --stateroot rhcos --imgref IMAGE 2>&1 | line)"
fi
say "finalized=$(journalctl --boot=-1 --unit=ostree-finalize-staged --output=cat 2>&1 | line)"
say "status=$(ostree admin status 2>&1 | line)"
say "images=$(ostree container image list --repo /ostree/repo 2>&1 | line)"
say "file=$(cat /etc/written-by-ignition)"
say "kept=$(cat /var/kept-by-the-update)"
echo "$OSTREE_VERSION" >> /var/kept-by-the-update
say "cmdline=$(cat /proc/cmdline)"
say "root=$(findmnt -no UUID /sysroot)"
say "end=end"
"""


@pytest.fixture(scope="module")
def base(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built_of(Flavour.COREOS, Form.DERIVED, workspace, tmp_path_factory.mktemp("base"))


def config(word: str, address: str) -> bytes:
    """An Ignition config: what `test_boot` writes, and that the registry has no TLS."""
    host = f"{HOST}:{address.rpartition(':')[2]}"
    image = f"ostree-unverified-registry:{host}/os/rhcos:next"
    script = SCRIPT.replace("VERSION ]", f"{DEFAULT_VERSION} ]")
    document = json.loads(ignition(word, script.replace("REGISTRY", host).replace("IMAGE", image)))
    plain = f'[[registry]]\nlocation = "{host}"\ninsecure = true\n'
    path = "/etc/containers/registries.conf.d/50-plain.conf"
    document["storage"]["files"].append(
        {"path": path, "mode": 0o644, "contents": {"source": f"data:,{quote(plain)}"}}
    )
    return json.dumps(document).encode()


def test_the_next_version_is_pulled_deployed_and_boots(base: Built, registry: str, tmp_path: Path) -> None:
    following = layer_of(Flavour.COREOS, Form.DERIVED, Variant.CHANGED)
    argv = ["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci-archive:{following}"]
    subprocess.run([*argv, f"docker://{registry}/os/rhcos:next"], check=True)
    disk, ignition_config = tmp_path / "disk.qcow2", tmp_path / "config.ign"
    shutil.copyfile(base.artifact("qemu"), disk)
    ignition_config.write_bytes(config("by-ignition", registry))

    first = boot(disk, tmp_path / "first.log", ignition_config, Firmware.BIOS, netdev=OPEN)
    assert (first["version"], first["failed"]) == (DEFAULT_VERSION, "[]")
    present = re.search(r"layers already present: (\d+); layers needed: (\d+)", first["pull"])
    assert present, first["pull"]
    # What bootimg has put into the repository is taken for what it is: only what has changed is fetched.
    assert int(present[1]) > 10 * int(present[2]) > 0
    assert len(first["images"].split()) == 2

    second = boot(disk, tmp_path / "second.log", ignition_config, Firmware.BIOS, netdev=OPEN)
    assert (second["version"], second["failed"]) == (CHANGED_VERSION, "[]"), second
    assert second["file"] == "by-ignition"
    assert second["kept"] == DEFAULT_VERSION
    assert second["status"].count("rhcos ") == 2
    assert "ignition.firstboot" not in second["cmdline"]
    arguments = [
        each for each in first["cmdline"].split() if not each.startswith(("ostree=", "ignition.fi", "BOOT_"))
    ]
    assert set(arguments) <= set(second["cmdline"].split())
    assert second["root"] == first["root"]
    output("qemu-img", "check", "-q", disk)

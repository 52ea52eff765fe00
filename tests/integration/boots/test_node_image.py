"""`bootimg run --overlay`: a guest runs a node image's /usr and /etc, and the disk stays the base's."""

from __future__ import annotations

import json
import re
import shutil
from base64 import b64encode
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.builds.find import Build
from bootimg.cache import Cache
from bootimg.checks.bootedsystem import BootedKind
from bootimg.events import Events
from bootimg.orchestrator.nodeimage import Booted, Preparation
from bootimg.vm.nodeimage.overlay import REF, UNIT
from tests.integration.boots.test_boot import DEADLINE, ignition
from tests.integration.builds.test_disk import output
from tests.integration.conftest import Built, Workspace
from tests.integration.live.test_live import Made, live_build
from tests.support.layers import oci
from tests.support.layers.nodeimage import BOTH, CHANGED, MARKER, OC, ONLY_NODE, node_image
from tests.support.layers.nodeimage import UNIT as NODE_UNIT

pytestmark = pytest.mark.real

SAY = 'say() { echo "REPORT-$((6*7)) $1"; }\n'
QUESTIONS = {
    "oc": "oc version 2> /dev/null || echo none",
    "only": f"cat /{ONLY_NODE} 2> /dev/null || echo none",
    "both": f"cat /{BOTH}",
    "changed": f"cat /{CHANGED}",
    "unit": f"systemctl is-active {NODE_UNIT}",
    "marker": f"test -e /{MARKER} && echo there || echo gone",
    "module": "sudo modprobe dummy && grep -c ^dummy /proc/modules",
    "kernel": "test -e /usr/lib/modules/$(uname -r)/vmlinuz && echo there",
    "usr": "sudo touch /usr/written 2>&1 | grep -o 'Read-only file system'",
    "laid": f"systemctl is-active {UNIT}",
    "failed": "systemctl --failed --no-legend --plain | cut -d' ' -f1 | tr '\\n' ' '",
    "pulled": f"sudo ostree refs --repo=/ostree/repo | grep -c '^{REF}$'",
    "left": "sudo ls /ostree/repo/tmp | grep -c bootimg",
    "end": "echo end",
}
SCRIPT = SAY + "\n".join(f'say "{name}=$({question} | head -n 1)"' for name, question in QUESTIONS.items())
OVERLAID = {
    "oc": OC, "only": "by the node image", "both": "by the user", "changed": "A node", "unit": "active",
    "marker": "gone", "module": "1", "kernel": "there", "usr": "Read-only file system", "laid": "active",
    "failed": "",
}  # fmt: skip


def config() -> bytes:
    """The user's: it writes one of the node image's files, and reports."""
    document = json.loads(ignition("unused", SCRIPT))
    source = "data:;base64," + b64encode(b"by the user\n").decode()
    document["storage"]["files"].append({"path": f"/{BOTH}", "mode": 0o644, "contents": {"source": source}})
    return json.dumps(document).encode()


def reported(text: str) -> dict[str, str]:
    return {
        name: value.strip() for name, value in re.findall(r"REPORT-42 (\w+)=(.*?)\r?$", text, re.MULTILINE)
    }


def subset(found: dict[str, str], wanted: dict[str, str]) -> dict[str, str]:
    return {name: found.get(name, "not reported") for name in wanted}


@pytest.fixture(scope="module")
def node(layer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node image on the stand-in layer."""
    return node_image(layer, tmp_path_factory.mktemp("node") / "image")


def test_the_drive_has_a_repository_with_the_node_image(tmp_path: Path) -> None:
    """ostree pulls the commit from it; a second run takes the drive from the cache."""
    base = oci.bootable(oci.file("usr/share/old", b"old"))
    above = oci.tar(oci.file("usr/bin/oc", b"o", 0o755), oci.file("etc/new", b"n", uid=7))
    for name, layers in (("base", [base]), ("node", [base, above])):
        layout = oci.Layout(tmp_path / name)
        layout.add(layers)
        layout.archive(tmp_path / f"{name}.ociarchive")
    meta = {"images": {"ostree": {"path": "base.ociarchive", "sha256": "0" * 64}}}
    build = Build("1", Arch.X86_64, tmp_path, meta)
    booted = Booted(file=tmp_path / "none", kind=BootedKind.DISK, arch=Arch.X86_64, build=build)
    preparation = Preparation(Cache(tmp_path / "cache"), Events())
    found = preparation.prepare(f"oci-archive:{tmp_path / 'node.ociarchive'}", booted)
    drive = found.overlay.image
    before = drive.stat()
    output("unsquashfs", "-quiet", "-no-progress", "-dest", tmp_path / "repo", drive)
    output("ostree", "init", f"--repo={tmp_path / 'other'}", "--mode=bare-user")
    output("ostree", "pull-local", f"--repo={tmp_path / 'other'}", tmp_path / "repo", REF)
    listed = output("ostree", "ls", "-R", f"--repo={tmp_path / 'other'}", REF)
    lines = {line.split()[-1]: line.split()[:3] for line in listed.splitlines()}
    assert lines["/usr/bin/oc"][0] == "-00755"
    assert lines["/usr/etc/new"][1] == "7"
    assert "/usr/share/old" in lines
    assert preparation.prepare(f"oci-archive:{tmp_path / 'node.ociarchive'}", booted) == found
    assert (drive.stat().st_ino, drive.stat().st_mtime) == (before.st_ino, before.st_mtime)


@pytest.mark.parametrize("what", ["build", "disk"])
def test_a_node_image_on_another_base_is_refused_by_name(
    what: str, built: Built, layer: Path, tmp_path: Path
) -> None:
    """By the layer's archive in the build, and by the system on a disk that lies elsewhere."""
    other = node_image(layer, tmp_path / "other", version="9.6.20990101-0")
    disk = built.path
    if what == "disk":
        disk = tmp_path / "disk.qcow2"
        shutil.copyfile(built.artifact("qemu"), disk)
    done = built.workspace.bootimg("run", "--overlay", other, disk, check=False)
    said = done.stderr.decode()
    assert done.returncode == 2, said
    assert "node-image-other-base" in said
    assert str(other) in said
    assert "node-label: node image, label org.opencontainers.image.version: 9.6.20990101-0" in said


@pytest.mark.matrix
@pytest.mark.boot
def test_a_disk_runs_the_node_image_and_is_the_base_again(built: Built, node: Path, tmp_path: Path) -> None:
    disk, given = tmp_path / "disk.qcow2", tmp_path / "config.ign"
    shutil.copyfile(built.artifact("qemu"), disk)
    given.write_bytes(config())

    def run(name: str, *words: str | Path) -> dict[str, str]:
        log = tmp_path / name
        always = ("run", "--console", log, "--accel", "tcg", "--network", "off", "--write", "-i", given)
        built.workspace.bootimg(*always, *words, disk, seconds=2 * DEADLINE)
        return reported(log.read_text(errors="replace"))

    first = run("overlaid.log", "--overlay", node)
    assert subset(first, OVERLAID) == OVERLAID
    assert first["pulled"] == "1"
    second = run("base.log")
    base = {"oc": "none", "only": "none", "both": "by the user", "unit": "inactive", "module": "1",
            "failed": "", "pulled": "0", "left": "0", "end": "end"}  # fmt: skip
    assert subset(second, base) == base
    assert second["changed"] != OVERLAID["changed"]


@pytest.fixture(scope="module")
def media(workspace: Workspace, layer: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return live_build(layer, workspace.cache, tmp_path_factory.mktemp("live"))


@pytest.mark.matrix
@pytest.mark.boot
def test_a_live_iso_runs_the_node_image(media: Made, node: Path, tmp_path: Path) -> None:
    """A command over ssh finds it laid."""
    given = tmp_path / "config.ign"
    given.write_bytes(config().replace(b"multi-user.target", b"never.target"))
    command = f"{SCRIPT}\n"
    words = (f"--ssh={command}", "--network", "host", "--accel", "tcg", "-i", given, "--overlay", node)
    iso = media.built.artifact("live-iso")
    done = media.built.workspace.bootimg("run", *words, iso, check=False, seconds=2 * DEADLINE)
    found = reported(done.stdout.decode())
    assert subset(found, OVERLAID) == OVERLAID, done.stderr.decode()

"""Live media as `bootimg build -p live` makes them of the stand-in layer: their files, and their boots."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bootimg.arches.row import Firmware
from bootimg.builds.record import read_record
from bootimg.disk.native import NATIVE_PROGRAMS
from bootimg.live.rootfsimage import DATA_OFFSET
from bootimg.targets import LIVE
from tests.integration.builds.test_disk import mounted
from tests.integration.conftest import Built, Workspace
from tests.integration.layouts.test_sysroot import laid_out
from tests.integration.live.test_iso_boot import every_start
from tests.integration.publishing.test_streams import through_go
from tests.layer.tools import streamreader
from tests.support import otherclock
from tests.support.layers.ostreedeploy import facts_of_folder
from tests.support.live.livemedia import (
    DEADLINE,
    REACHED,
    console_until_off,
    iso_machine,
    newer_programs,
    older_program,
    report_config,
)

pytestmark = pytest.mark.real

ARGUMENTS = ("console=ttyS0", "systemd.show_status=0", "rd.shell=0", "rd.emergency=poweroff",
             "systemd.journald.forward_to_console=1", "systemd.journald.max_level_console=info")  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A build with live media, and the PATH with programs that can make them."""

    built: Built
    path: str

    def digests(self) -> dict[str, str]:
        """The SHA-256 of the four files, by key."""
        return {key: hashlib.sha256(self.built.artifact(key).read_bytes()).hexdigest() for key in KEYS}


KEYS = ("live-iso", "live-kernel", "live-initramfs", "live-rootfs")


def live_build(layer: Path, cache: Path, folder: Path) -> Made:
    """The live media of a layer, in a tree of builds of their own."""
    workspace = Workspace(cache, folder / "builds")
    _, wanted = laid_out(workspace, layer)
    (folder / "programs").mkdir()
    programs = newer_programs(wanted.commit, folder / "programs")
    path = f"{programs}:{os.environ['PATH']}" if programs else os.environ["PATH"]
    done = workspace.bootimg("build", layer, "-p", "live", "--json", PATH=path)
    return Made(Built(workspace, json.loads(done.stdout)), path)


@pytest.fixture(scope="module")
def made(workspace: Workspace, layer: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The stand-in layer's live media."""
    return live_build(layer, workspace.cache, tmp_path_factory.mktemp("live"))


def test_the_four_files_are_listed_and_never_compressed(made: Made) -> None:
    images = made.built.meta["images"]
    assert {*KEYS} < images.keys()
    for file in LIVE.files:
        entry = images[file.key]
        assert entry["skip-compression"] is True
        assert made.built.artifact(file.key).stat().st_size == entry["size"]
        assert made.digests()[file.key] == entry["sha256"]
    names = [made.built.artifact(key).name for key in KEYS]
    assert [name.partition("-live-")[2] for name in names] == [
        "iso.x86_64.iso", "kernel.x86_64", "initramfs.x86_64.img", "rootfs.x86_64.img",
    ]  # fmt: skip


@pytest.mark.matrix
def test_the_files_are_the_same_each_time(made: Made, layer: Path, tmp_path: Path) -> None:
    """Whatever the clock, the time zone, the locale and the umask."""
    if reason := otherclock.why_not():
        pytest.skip(reason)
    before = made.digests()
    programs = (*NATIVE_PROGRAMS, "sqfstar", "mkfs.erofs", "date")
    clock: dict[str, Any] = {**otherclock.other_clock(tmp_path, made.path, programs)}
    year = subprocess.run([tmp_path / "bin/date", "+%Y"], capture_output=True, check=True).stdout
    assert int(year) > datetime.now(UTC).year
    umask = os.umask(0o077)
    try:
        made.built.workspace.bootimg(
            "build", layer, "-p", "live", "--force", **clock, TZ="Pacific/Auckland", LC_ALL="tr_TR.UTF-8"
        )
    finally:
        os.umask(umask)
    assert made.digests() == before


@pytest.mark.matrix
def test_the_layers_program_makes_the_same_files_in_the_appliance(
    made: Made, layer: Path, tmp_path: Path
) -> None:
    """On a machine whose sqfstar is too old; that of `made` ran without a virtual machine."""
    (tmp_path / "older").mkdir()
    path = f"{older_program(tmp_path / 'older')}:{os.environ['PATH']}"
    workspace = Workspace(made.built.workspace.cache, tmp_path / "builds")
    planned = workspace.bootimg("plan", layer, "-p", "live", "--json", PATH=path)
    (why,) = [each["why"] for each in json.loads(planned.stdout)["steps"] if each["step"] == "live"]
    assert "the layer's sqfstar 4.6.1 makes the root file system in the appliance: " in why
    done = workspace.bootimg("build", layer, "-p", "live", "--json", PATH=path)
    here = Made(Built(workspace, json.loads(done.stdout)), path)
    programs = [read_record(each.built.path).made["live-rootfs"].programs for each in (made, here)]
    assert programs[1]["sqfstar"] == "4.6.1 of the layer"
    if programs[0]["sqfstar"].startswith("4.6.1"):
        assert here.digests() == made.digests()
    folders = [tmp_path / name for name in ("ours", "theirs")]
    options = f"loop,ro,offset={DATA_OFFSET}"
    with (
        mounted(str(made.built.artifact("live-rootfs")), options, folders[0]) as one,
        mounted(str(here.built.artifact("live-rootfs")), options, folders[1]) as other,
    ):
        assert facts_of_folder(one, flags=False) == facts_of_folder(other, flags=False)


@pytest.mark.matrix
def test_a_draft_is_made_again_for_a_release(made: Made, layer: Path, tmp_path: Path) -> None:
    """The draft is larger, and `verify` warns of it."""
    workspace = Workspace(made.built.workspace.cache, tmp_path / "builds")

    def build(*words: str) -> Made:
        done = workspace.bootimg("build", layer, "-p", "live", "--json", *words, PATH=made.path)
        return Made(Built(workspace, json.loads(done.stdout)), made.path)

    draft = build("--draft")
    assert draft.digests()["live-kernel"] == made.digests()["live-kernel"]
    sizes = [each.built.meta["images"]["live-rootfs"]["size"] for each in (draft, made)]
    assert sizes[0] > sizes[1]
    found = json.loads(workspace.bootimg("verify", "latest", "--json").stdout)["findings"]
    assert {each["rule"] for each in found} == {"draft"}
    again = json.loads(workspace.bootimg("verify", "latest", "--rebuild", "--json", PATH=made.path).stdout)
    assert {each["rule"] for each in again["findings"]} == {"draft"}
    assert build("--draft").built.document["artifacts"][-1]["cached"] is True
    assert build().digests() == made.digests()
    assert json.loads(workspace.bootimg("verify", "latest", "--json").stdout)["findings"] == []


def generated(made: Made, what: str, *words: str) -> bytes:
    """What `stream generate` makes of the build."""
    return made.built.workspace.bootimg(
        "stream", "generate", made.built.document["build"], "--name", "rhel-9.6",
        "--published", "https://mirror.example.com/streams", "--format", what, *words,
    ).stdout  # fmt: skip


def test_metadata_of_installers_have_the_iso_and_the_files_for_pxe(made: Made) -> None:
    images = made.built.meta["images"]
    release = json.loads(generated(made, "release"))["architectures"]["x86_64"]["media"]["metal"]["artifacts"]
    stream = json.loads(generated(made, "stream"))["architectures"]["x86_64"]
    formats = stream["artifacts"]["metal"]["formats"]
    for found in (release, formats):
        assert found["iso"].keys() == {"disk"}
        assert found["pxe"].keys() == {"kernel", "initramfs", "rootfs"}
        files = {"live-iso": found["iso"]["disk"]}
        files |= {f"live-{name}": each for name, each in found["pxe"].items()}
        for key, file in files.items():
            assert file["location"].endswith(f"/x86_64/{images[key]['path']}")
            assert file["sha256"] == images[key]["sha256"]
    (record,) = json.loads(generated(made, "assisted", "--openshift-version", "4.20"))
    assert record == {
        "openshift_version": "4.20",
        "cpu_architecture": "x86_64",
        "url": formats["iso"]["disk"]["location"],
        "version": made.built.document["build"],
    }


@pytest.mark.skipif(streamreader.why_not() is not None, reason="stream-reader cannot be compiled here")
def test_stream_metadata_go_reads_the_live_media_of_a_build(made: Made) -> None:
    """It writes the same bytes, and makes the same stream of release.json."""
    reader = streamreader.stream_reader()
    stream = generated(made, "stream")
    assert through_go(reader, "stream", stream) == stream
    of_release = json.loads(through_go(reader, "release", generated(made, "release")))
    ours = json.loads(stream)
    assert of_release["architectures"]["x86_64"]["artifacts"] == ours["architectures"]["x86_64"]["artifacts"]


@pytest.fixture(scope="module")
def iso(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ISO with a config that reports, and with the serial console."""
    folder = tmp_path_factory.mktemp("iso")
    config, changed = folder / "config.ign", folder / "live.iso"
    config.write_bytes(report_config())
    workspace = made.built.workspace
    workspace.bootimg(
        "iso", "ignition", "embed", "-i", config, "-o", changed, made.built.artifact("live-iso")
    )
    workspace.bootimg("iso", "kargs", "append", changed, *ARGUMENTS)
    return changed


@pytest.mark.boot
@every_start
def test_the_iso_boots_and_runs_the_embedded_config(
    iso: Path, medium: str, firmware: Firmware, tmp_path: Path
) -> None:
    said = console_until_off(iso_machine(iso, medium, firmware, tmp_path, 3072))
    found = REACHED.search(said)
    assert found, said[-3000:]
    assert found[1] == "squashfs"


def run_live(workspace: Workspace, folder: Path, config: bytes | None, *words: str | Path) -> str:
    """What `bootimg run` of live media writes to the console until the machine is off."""
    log, given = folder / "console.log", folder / "config.ign"
    always: list[str | Path] = ["run", "--console", log, "--accel", "tcg", "--memory", "3G"]
    if config is not None:
        given.write_bytes(config)
        always += ["-i", given]
    kargs = [word for argument in ARGUMENTS[1:] for word in ("--kargs", argument)]
    workspace.bootimg(*always, *kargs, *words, seconds=2 * DEADLINE)
    return log.read_text(errors="replace")


@pytest.mark.boot
@pytest.mark.matrix
def test_run_boots_the_iso_with_a_config_and_leaves_it_as_it_is(made: Made, tmp_path: Path) -> None:
    workspace, before = made.built.workspace, made.digests()
    iso = made.built.artifact("live-iso")
    said = run_live(workspace, tmp_path, report_config(), "--firmware", "uefi", iso)
    assert REACHED.search(said), said[-3000:]
    assert made.digests() == before


@pytest.mark.boot
@pytest.mark.matrix
def test_run_logs_in_to_a_live_system(made: Made) -> None:
    """Its config has the key, and the serial console is not needed."""
    iso, command = made.built.artifact("live-iso"), "test -e /run/ostree-live && id -un; exit 7"
    words = (f"--ssh={command}", "--network", "host", "--accel", "tcg", "--memory", "3G")
    done = made.built.workspace.bootimg("run", *words, iso, check=False, seconds=DEADLINE)
    assert (done.returncode, done.stdout) == (7, b"core\n"), done.stderr.decode()


@pytest.mark.boot
@pytest.mark.matrix
@pytest.mark.parametrize("firmware", [Firmware.BIOS, Firmware.UEFI])
def test_run_boots_the_files_for_pxe(made: Made, firmware: Firmware, tmp_path: Path) -> None:
    """The rootfs image is appended to the initramfs, as servers without HTTP do it."""
    words = ("--firmware", str(firmware), "--pxe", made.built.path)
    said = run_live(made.built.workspace, tmp_path, report_config(), *words)
    assert REACHED.search(said), said[-3000:]

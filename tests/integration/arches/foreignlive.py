"""Makes the live media of small layers of other architectures, and boots them as `bootimg run` does."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bootimg.arch import Arch
from bootimg.live.reading.describe import describe_iso
from bootimg.targets import LIVE
from tests.integration.boots.test_boot import DEADLINE, ignition
from tests.integration.conftest import Built, Workspace
from tests.layer import tools
from tests.layer.small import small_layer
from tests.support.debianprograms import squashfs_programs
from tests.support.live.livemedia import has_maker

KEYS = ("live-iso", "live-kernel", "live-initramfs", "live-rootfs")
SCRIPT = """
say() { echo "REPORT-$((6*7)) $1"; }
say "file=$(cat /etc/written-by-ignition)"
say "root=$(findmnt -no FSTYPE /sysroot)"
say "live=$(test -e /run/ostree-live && echo yes)"
say "arch=$(uname -m)"
say "failed=[$(systemctl --failed --no-legend --plain | cut -d' ' -f1 | tr '\\n' ' ')]"
say "cmdline=$(cat /proc/cmdline)"
say "end=end"
"""


def path_with_maker() -> str:
    """A PATH with an sqfstar that is new enough: the layer's own does not run here."""
    if has_maker():
        return os.environ["PATH"]
    programs = squashfs_programs()
    if reason := programs.why_not():
        pytest.skip(reason)
    return f"{programs.folder()}:{os.environ['PATH']}"


def build_live(root: Path, arch: Arch, layer: Path | None = None) -> Built:
    """The live media, in a folder, of a layer of the architecture: of its small one if none is given."""
    workspace = Workspace(root / "cache", root / "builds")
    words = ("--arch", arch.value, "-p", "live", "--json")
    done = workspace.bootimg("build", layer or small_layer(arch), *words, PATH=path_with_maker())
    return Built(workspace, json.loads(done.stdout))


def said(*argv: str | Path) -> str:
    """What a program prints on both of its outputs; it succeeds."""
    done = subprocess.run(argv, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return (done.stdout + done.stderr).decode(errors="replace")


def shown(built: Built) -> dict[str, Any]:
    """What the ISO is."""
    return describe_iso(built.artifact("live-iso"))


def check_files(built: Built, arch: Arch) -> None:
    """The four files have their names, and `verify` finds nothing."""
    names = [built.artifact(key).name.partition("-live-")[2] for key in KEYS]
    assert names == [f"iso.{arch}.iso", f"kernel.{arch}", f"initramfs.{arch}.img", f"rootfs.{arch}.img"]
    assert tuple(each.key for each in LIVE.files) == KEYS
    done = built.workspace.bootimg("verify", built.path, "--json", PATH=path_with_maker())
    assert json.loads(done.stdout)["findings"] == []


def check_installer(built: Built, folder: Path) -> None:
    """coreos-installer finds the areas, and bootimg reads what it writes there."""
    if reason := tools.why_not("coreos-installer"):
        pytest.skip(reason)
    installer, iso = tools.program("coreos-installer"), folder / "live.iso"
    config = folder / "config.ign"
    config.write_bytes(ignition("by-coreos-installer"))
    said(installer, "iso", "ignition", "embed", "-i", config, "-o", iso, built.artifact("live-iso"))
    assert json.loads(said(installer, "iso", "ignition", "show", iso)) == json.loads(config.read_bytes())
    said(installer, "iso", "kargs", "modify", "--append", "an.argument=1", iso)
    kargs = said(installer, "iso", "kargs", "show", iso).split()
    assert kargs == [*shown(built)["kargs-default"].split(), "an.argument=1"]
    assert built.workspace.bootimg("iso", "ignition", "show", iso).stdout.rstrip(b"\n") == config.read_bytes()


def reported(built: Built, folder: Path, words: Sequence[str | Path]) -> dict[str, str]:
    """What the guest's unit reports; `bootimg run` ends when the guest turns itself off."""
    log, config = folder / "console.log", folder / "config.ign"
    config.write_bytes(ignition("in-the-live-system", SCRIPT))
    always: list[str | Path] = ["run", "--console", log, "--accel", "tcg", "--memory", "3G", "-i", config]
    built.workspace.bootimg(*always, *words, seconds=DEADLINE)
    return report(log.read_text(errors="replace"))


def report(console: str) -> dict[str, str]:
    """The lines of the script on a console."""
    return dict(re.findall(r"REPORT-42 (\w+)=(.*?)\r?$", console, re.MULTILINE))


def assert_live(found: dict[str, str], arch: Arch) -> None:
    """The config ran in a live system of the architecture."""
    assert (found["file"], found["failed"]) == ("in-the-live-system", "[]")
    assert (found["arch"], found["live"], found["root"]) == (arch, "yes", "squashfs")

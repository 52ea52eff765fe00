"""The tree of a live system that breaks no rule, and file systems of it, for tests."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bootimg.checks.pivot import OSTREE_CONTAINER, PROGRAMS, UNITS
from bootimg.disk.aleph import ALEPH
from bootimg.live.iso.liveiso import LiveIso
from bootimg.live.streamhash import CHUNK
from tests.support.live.livefiles import BUILD, initramfs, rootfs_image, whole_iso
from tests.support.live.liveiso import part
from tests.unit.rpmdb.test_database import database, header

DEPLOYMENT = f"ostree/deploy/rhcos/deploy/{'c0' * 32}.0"
_DATABASE = "usr/share/rpm/rpmdb.sqlite"
_LABELS = {
    "org.opencontainers.image.version": BUILD,
    "com.coreos.stream": "rhel-9.6",
    "com.coreos.osname": "rhcos",
    "containers.bootc": "1",
}
_OS_RELEASE = f'ID=rhel\nVERSION_ID="9.6"\nOSTREE_VERSION="{BUILD}"\n'


def system_files(work: Path, *packages: str) -> dict[str, bytes]:
    """The files of a deployment, by path; `work` is an empty folder for making the package database."""
    blobs = tuple(header(name=name, version="1", release="1.el9", arch="x86_64") for name in packages)
    programs = {f"usr/bin/{name}" for name in PROGRAMS} | {OSTREE_CONTAINER}
    units = {f"usr/lib/systemd/system/{name}" for name in UNITS}
    return {
        **dict.fromkeys(sorted(programs | units), b""),
        "usr/lib/os-release": _OS_RELEASE.encode(),
        _DATABASE: database(work / "database", blobs=blobs),
    }


def live_tree(files: Mapping[str, bytes], folder: Path, deployment: str = DEPLOYMENT) -> Path:
    """A new folder with the files in a deployment, and what a disk has beside it."""
    aleph = {"version": BUILD, "container-image": {"image-labels": _LABELS}}
    (folder / deployment).mkdir(parents=True)
    (folder / ALEPH).write_text(json.dumps(aleph))
    for path, data in files.items():
        target = folder / deployment / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


def squashfs_of(tree: Path, image: Path, *options: str) -> bytes:
    """The tree as a squashfs; `image` is a file for it."""
    always = ["-quiet", "-no-progress", "-noappend", "-all-root"]
    words: list[str | Path] = ["mksquashfs", tree, image, *always, *options]
    subprocess.run(words, check=True, capture_output=True)
    return image.read_bytes()


def good_rootfs(folder: Path) -> bytes:
    """A rootfs image of a system that breaks no rule, larger than a chunk; `folder` is made for its parts."""
    folder.mkdir()
    filesystem = squashfs_of(live_tree(system_files(folder, "bash"), folder / "tree"), folder / "squashfs")
    return rootfs_image(filesystem=filesystem.ljust(CHUNK + 5000, b"\0"))


def good_iso(rootfs: bytes) -> LiveIso:
    """A live ISO with a rootfs image, which its initramfs expects."""
    return whole_iso(rootfs=part(rootfs), initrd=part(initramfs(rootfs)))

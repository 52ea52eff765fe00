"""Debian's etcd, containerd, runc, network plugins, registry and busybox: unpacked, not installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from bootimg import process
from tests.layer import store
from tests.layer.debian import find_mirror, proxy_options

SUITE = "bookworm"
PACKAGES = (
    "busybox-static",
    "containerd",
    "containernetworking-plugins",
    "docker-registry",
    "etcd-server",
    "runc",
)
_UNUSED = ("usr/share", "var")


def why_not() -> str | None:
    """Why they are not available here, or None: they are there or can be fetched."""
    return None if _place().exists() or process.find("mmdebstrap") else "mmdebstrap is not installed"


def root() -> Path:
    """The folder with Debian's tree of these packages; they run with the libraries of this machine."""
    place = _place()
    place.parent.mkdir(parents=True, exist_ok=True)
    with store.locked(place.parent):
        return (place if place.exists() else store.made_folder(place, _unpack)) / "root"


def _place() -> Path:
    return store.test_cache() / "cluster" / f"debian-{store.key(SUITE, PACKAGES, Path(__file__))}"


def _unpack(output: Path) -> None:
    options = (f"--aptopt={option}" for option in ("Apt::Install-Recommends false", *proxy_options()))
    tree = output / "root"
    argv = [
        str(process.require("mmdebstrap", packages="mmdebstrap")), "--quiet", "--variant=extract",
        "--format=directory",
        "--architectures=amd64", f"--include={','.join(PACKAGES)}", *options, SUITE, str(tree),
        f"deb {find_mirror().main} {SUITE} main",
    ]  # fmt: skip
    process.run(argv, timeout=1800)
    for name in _UNUSED:
        shutil.rmtree(tree / name)

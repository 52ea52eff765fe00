"""Files that bootimg checks by one reading, and a library or the running system might take by another."""

from __future__ import annotations

from pathlib import Path

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.layer.declared.facts import read_facts
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import open_tree
from tests.hostile.case import case
from tests.support.layers import oci

PREPARE_ROOT = "usr/lib/ostree/prepare-root.conf"


def facts(folder: Path) -> None:
    """What a build reads of the OCI directory `image` first."""
    cache = Cache(folder / "cache")
    image = fetch(str(folder / "image"), arch=Arch.X86_64, cache=cache, events=Events())
    read_facts(image, open_tree(image, cache, Events()))


def _image(folder: Path, path: str, text: bytes) -> None:
    oci.Layout(folder / "image").add([oci.bootable(oci.file(path, text))])


@case(facts, "selinux-config-malformed", quick=True)
def policy_of_the_host(folder: Path) -> None:
    """an SELinux config that names the host's policy to libselinux, and another one to bootimg"""
    lines = b"SELINUX=enforcing\nSELINUXTYPE=../../../../../etc/selinux/targeted\nSELINUXTYPE =targeted\n"
    _image(folder, "etc/selinux/config", lines)


@case(facts, "os-release-malformed", quick=True)
def hidden_in_os_release(folder: Path) -> None:
    """an os-release in which a quoted value of two lines hides a variable"""
    _image(folder, "etc/os-release", b'ID=rhcos\nNAME="a\nOPENSHIFT_VERSION=4.17\n"\n')


@case(facts, "prepare-root-malformed", quick=True)
def composefs_twice(folder: Path) -> None:
    """a prepare-root.conf that says twice whether composefs is on"""
    _image(folder, PREPARE_ROOT, b"[composefs]\nenabled=no\n[composefs]\nenabled=verity\n")


@case(facts, "prepare-root-malformed", quick=True)
def composefs_in_default(folder: Path) -> None:
    """a prepare-root.conf with a value that goes on in the next line, which is a key to GLib"""
    _image(folder, PREPARE_ROOT, b"[composefs]\nkeypath=/x\n enabled=verity\n")


@case(facts, "layer-file-too-large", quick=True)
def endless_os_release(folder: Path) -> None:
    """an os-release of 40 MB"""
    _image(folder, "etc/os-release", b"ID=rhcos\n" + b"#" * 40_000_000)


@case(facts, "platforms-json-malformed", quick=True)
def lone_surrogate(folder: Path) -> None:
    """a platforms.json that coreos-installer would not read, and bootimg would mend"""
    _image(folder, "usr/share/coreos-assembler/platforms.json", b'{"a": {"grub_commands": ["\\ud800"]}}')


@case(facts, "image-json-malformed", quick=True)
def size_twice(folder: Path) -> None:
    """an image.json with two sizes"""
    _image(folder, "usr/share/coreos-assembler/image.json", b'{"size": 16, "size": 1000000}')

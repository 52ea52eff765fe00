"""What a layer declares: image.json, platforms.json, its disk, its installation, os-release, its labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from bootimg.arch import Arch
from bootimg.disk.declared import require_declared
from bootimg.kernelarg import split
from bootimg.layer.declared.diskyaml import read_disk_yaml
from bootimg.layer.declared.facts import selinux_enabled, selinux_policy
from bootimg.layer.declared.imagejson import parse_image_json
from bootimg.layer.declared.installconfig import read_install_config
from bootimg.layer.declared.kargsd import read_kargs_d
from bootimg.layer.declared.osrelease import os_release
from bootimg.layer.declared.platformsjson import parse_platforms_json
from bootimg.layer.ostree.derived import takes_all
from bootimg.layer.tar.opened import LayerTar
from bootimg.layer.tar.tarformat import read_entries
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipes
from bootimg.manifest.render import render
from bootimg.untrusted.budget import Budget
from tests.fuzz.mutate import json_documents
from tests.fuzz.target import refusals, target
from tests.support.layers import oci
from tests.support.layers.manifests import VARIABLES, rendered
from tests.unit.layer.test_declares import DECLARED

DISK = "usr/lib/image-builder/bootc/disk.yaml"
INSTALL = "usr/lib/bootc/install/50-os.toml"
KNOWN = {"osname", "layer_version", "container_imgref", "selinux_policy", "artifact_name_prefix"}
RECIPE = read_recipes(Manifest.from_json(rendered()))[512]
YAML = ("&a ", "*a", "<<: *a", "!!binary", "!!set", "!!timestamp", "!!float", "? ", "- ", "2026-99-99", "0b",
        "1:2:3", ".inf", "~", "---", "size", "payload", "partitions", "mkfs_options", "agcount",
        "attrs")  # fmt: skip
TOML = ("[install]", "match_architectures", "kargs", "karg-deletes", "block", "stateroot", "= ", '"""',
        "[[a]]", "1979-05-27", "inf", "0x", "a.b.c", "{", "[", "[install.a]")  # fmt: skip
KEYS = ('="', "\\", "'", "ID=", "VERSION_ID=", "[composefs]", "enabled", "[DEFAULT]", "SELINUXTYPE=", "..",
        "%(")  # fmt: skip


def tree_of(folder: Path, *members: oci.Member) -> Tree:
    """The tree of a layer with these files."""
    path = folder / "layer.tar"
    path.write_bytes(oci.tar(*members))
    return Tree(
        [LayerTar("sha256:" + "0" * 64, path, tuple(read_entries(path.read_bytes(), Budget())))],
        budget=Budget(),
    )


def _image_json() -> Iterator[bytes]:
    texts = {"compressor": "gzip", "platform-compressor": {"aws": "xz"}, "container-imgref": "r"}
    others = {"size": 16, "extra-kargs": ["a=b"], "bootc-install-to-fs": False, "live-rootfs-fstype": "erofs"}
    yield json.dumps(texts | others).encode()


@target(_image_json, mutate=json_documents)
def image_json(data: bytes, folder: Path) -> None:
    with refusals():
        parse_image_json(data)


@target(
    lambda: [b'{"qemu": {"grub_commands": ["serial --speed=115200"], "kernel_arguments": ["console=tty0"]}}'],
    mutate=json_documents,
)
def platforms_json(data: bytes, folder: Path) -> None:
    with refusals():
        parse_platforms_json(data)


def _disks() -> Iterator[bytes]:
    yield json.dumps(DECLARED).encode()
    yield yaml.safe_dump(DECLARED).encode()
    yield b"a: &a [x, x]\nb: &b [*a, *a]\n"


@target(_disks, words=YAML, mutate=json_documents, runs=800)
def disk_yaml(data: bytes, folder: Path) -> None:
    tree = tree_of(folder, oci.file(DISK, data))
    with refusals():
        found = read_disk_yaml(tree, Arch.X86_64)
        assert found
        require_declared(found, RECIPE)


INSTALL_SEED = b"""[install]
root-fs-type = "xfs"
kargs = ["a", "b"]
match-architectures = ["x86_64"]
[install.filesystem.root]
type = "xfs"
[install.ostree]
bls-append-except-default = 'grub_users=""'
[install.bootupd]
skip-boot-uuid = true
"""


@target(lambda: [INSTALL_SEED], words=TOML, runs=800)
def install_toml(data: bytes, folder: Path) -> None:
    tree = tree_of(folder, oci.file(INSTALL, data), oci.file(INSTALL.replace("50", "60"), INSTALL_SEED))
    with refusals():
        read_install_config(tree, Arch.X86_64)


@target(lambda: [b'kargs = ["a", \'b="c d"\']\nmatch-architectures = ["x86_64"]\n'], words=TOML, runs=800)
def kargs_toml(data: bytes, folder: Path) -> None:
    tree = tree_of(folder, oci.file("usr/lib/bootc/kargs.d/50-os.toml", data))
    with refusals():
        found = read_kargs_d(tree, Arch.X86_64)
        assert split(" ".join(found)) == list(found)


def _small_files() -> Iterator[bytes]:
    yield b'NAME="Stand-in"\nVERSION_ID="9.6"\nID=\'rhel\'\n'
    yield b"SELINUX=enforcing\nSELINUXTYPE=targeted\n"
    yield b"[composefs]\nenabled = yes\n[root]\ntransient=true\n"


@target(_small_files, words=KEYS, runs=800)
def small_files(data: bytes, folder: Path) -> None:
    """os-release, SELinux's config and ostree's prepare-root.conf."""
    tree = tree_of(folder, oci.file("etc/os-release", data), oci.file("etc/selinux/config", data))
    with refusals():
        assert all(key.isidentifier() for key in os_release(tree))
    with refusals():
        selinux_policy(tree)
        selinux_enabled(tree)
    with refusals():
        takes_all(data)


def _variables() -> Iterator[bytes]:
    labels = {"osname": "rhcos", "layer_version": "9.6.20261101-0", "artifact_name_prefix": "rhcos-9.6"}
    others = {"container_imgref": "docker://a/b:c", "selinux_policy": "targeted", "extra_kargs": ["a=b"]}
    yield json.dumps(labels | others).encode()


@target(_variables, words=("{a}", "{{", "$arch", "${", "'", "\\"), mutate=json_documents, runs=40)
def manifest_variables(data: bytes, folder: Path) -> None:
    """What labels and image.json put into a manifest stays a value in it."""
    try:
        given = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(given, dict) or not isinstance(given.get("extra_kargs"), list):
        return
    texts: dict[str, Any] = {
        key: each for key, each in given.items() if key in KNOWN and isinstance(each, str)
    }
    arguments = tuple(each for each in given["extra_kargs"] if isinstance(each, str))
    with refusals():
        document = render(replace(VARIABLES, **texts, extra_kargs=arguments))
        sysroot = read_recipes(Manifest.from_json(document))[512].sysroot
        assert sysroot
        assert not arguments or sysroot.deploy.kernel_opts[-len(arguments) :] == arguments

"""What the flavour `coreos` adds to the tree: the compiled tools, and what bootupd works with."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.layer.chroot import chroot, chroot_mounts, copy_over, debian_version, run
from tests.layer.recipe import HERE, SOURCE_DATE_EPOCH
from tests.layer.rpmdb import Evr

ROOTFS = HERE / "rootfs-coreos"

_PROGRAMS = {
    "coreos-installer": {"coreos-installer": "usr/bin/coreos-installer", "rdcore": "usr/bin/rdcore"},
    "bootupd": {"bootupd": "usr/libexec/bootupd"},
    # Where the program `ostree` looks for its command `container`.
    "ostree-ext-cli": {"ostree-ext-cli": "usr/libexec/libostree/ext/ostree-container"},
    "ignition": {
        "ignition": "usr/lib/dracut/modules.d/30ignition/ignition",
        "ignition-validate": "usr/bin/ignition-validate",
    },
}
_SOURCES = {
    "coreos-installer": {"data/example-config.yaml": "usr/share/coreos-installer/example-config.yaml"},
    "bootupd": {"src/grub2": "usr/lib/bootupd/grub2-static"},
    "ostree-ext-cli": {},
    "ignition": {
        "dracut/30ignition": "usr/lib/dracut/modules.d/30ignition",
        "systemd": "usr/lib/systemd/system",
        "grub2": "usr/lib/bootupd/grub2-static/configs.d",
    },
}
_LINKS = {
    "usr/bin/bootupctl": "../libexec/bootupd",
    "usr/libexec/ignition-apply": "../lib/dracut/modules.d/30ignition/ignition",
    "usr/libexec/ignition-rmcfg": "../lib/dracut/modules.d/30ignition/ignition",
}


def add(root: Path, tools: Mapping[str, Path]) -> None:
    """Add the tools of these folders, and our own files."""
    for name, folder in tools.items():
        for source, target in _SOURCES[name].items():
            _place(folder / "src" / source, root / target)
        for program, target in _PROGRAMS[name].items():
            _place(folder / "bin" / program, root / target)
    for link, to in _LINKS.items():
        (root / link).symlink_to(to)
    _make_executable(root / "usr/lib/dracut/modules.d/30ignition")
    copy_over(root, ROOTFS)
    generate_update_metadata(root)


def _place(source: Path, target: Path) -> None:
    """Copy a file or what is in a folder, without the READMEs."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not source.is_dir():
        shutil.copy(source, target)
        return
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.md"))


def _make_executable(module: Path) -> None:
    """Scripts out of a Go module have no executable bits, and systemd skips such a generator in silence."""
    for path in module.iterdir():
        if path.read_bytes().startswith(b"#!"):
            path.chmod(0o755)


def generate_update_metadata(root: Path) -> None:
    """Let bootupd note which bootloader the tree brings, in usr/lib/bootupd/updates.

    It asks rpm which package grub2-install is of.  The packages of the tree's RPM database have no files,
    so for this once a script answers in rpm's place.
    """
    evr = Evr.of_debian(debian_version(root, "grub2-common"))
    stub = root / "tmp/rpm"
    answer = f"grub2-tools-1:{evr.version}-{evr.release}.x86_64,{SOURCE_DATE_EPOCH} "
    stub.write_text(f"#!/bin/sh\necho '{answer}'\n")
    stub.chmod(0o755)
    with chroot_mounts(root):
        run("mount", "--bind", stub, root / "usr/bin/rpm")
        try:
            environment = ("env", f"SOURCE_DATE_EPOCH={SOURCE_DATE_EPOCH}", "RUST_BACKTRACE=0")
            chroot(root, *environment, "bootupctl", "backend", "generate-update-metadata", "/")
        finally:
            run("umount", root / "usr/bin/rpm")
    stub.unlink()
    for component in ("BIOS", "EFI"):
        if not (root / f"usr/lib/bootupd/updates/{component}.json").stat().st_size:
            raise SystemExit(f"bootupd wrote no metadata for {component}")

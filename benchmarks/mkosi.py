"""Runs mkosi to make a disk with the partitions of a base disk from the layer's tree.

mkosi and the programs that it runs come from Debian, as a tree that is kept packed in the test cache and
passed as its `ToolsTree=`.  So this machine's own packages do not matter.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.elapsed import Elapsed, measured_settled
from bootimg import process
from bootimg.atomic import sync
from bootimg.disk.gpt import Gpt
from tests.layer import debian, store
from tests.layer.recipe import read_recipe

PACKAGES = ("mkosi", "systemd-repart", "e2fsprogs", "xfsprogs", "dosfstools", "mtools", "policycoreutils")
"""mkosi, the programs that make its file systems, and setfiles, with which it sets SELinux labels."""
FORMATS = {"EFI-SYSTEM": "vfat", "boot": "ext4", "root": "xfs"}
"""The file systems of the recipe's partitions, by their names."""
_PYTHON = "usr/lib/python3/dist-packages"


def why_not() -> str | None:
    """Why mkosi cannot run here, or None."""
    if os.geteuid() != 0:
        return "its input tree has real owners, which needs root"
    wanted = ["tar", "unsquashfs"] if _packed().exists() else ["tar", "unsquashfs", "mmdebstrap", "apt-get"]
    lacking = [name for name in wanted if process.find(name) is None]
    return f"{', '.join(lacking)} not installed" if lacking else None


def _packed() -> Path:
    recipe = read_recipe()
    key = store.key(recipe.suite, PACKAGES, store.source("debian.py"))
    return store.test_cache() / "mkosi" / f"tools-{key}.tar"


def unpack_tools(folder: Path) -> Path:
    """mkosi and its programs as a tree below `folder`; fetched from Debian if the test cache lacks them."""
    packed = _packed()
    packed.parent.mkdir(parents=True, exist_ok=True)
    with store.locked(packed.parent):
        recipe = replace(read_recipe(), packages=PACKAGES)
        store.made(packed, lambda output: debian.bootstrap(recipe, debian.find_mirror(), output))
    tree = folder / "mkosi-tools"
    tree.mkdir()
    # Programs of the tree run in mkosi's sandbox, which has its own /dev.
    subprocess.run(["tar", "-xf", packed, "-C", tree, "--exclude=./dev/*"], check=True, capture_output=True)
    return tree


def definitions(gpt: Gpt, tree: Path) -> dict[str, str]:
    """systemd-repart's definition files by name: a base disk's partitions, filled from the layer's tree."""
    sources = _sources(tree)
    return {
        f"{part.number:02}.conf": "\n".join(
            [
                "[Partition]",
                f"Type={part.type_guid}",
                f"Label={part.name}",
                *(f"{key}={gpt.span(part.number)[1]}" for key in ("SizeMinBytes", "SizeMaxBytes")),
                *([f"Format={FORMATS[part.name]}"] if part.name in FORMATS else []),
                *(f"CopyFiles={source}:{target}" for source, target in sources.get(part.name, ())),
                "",
            ]
        )
        for part in gpt.partitions
    }


def _sources(tree: Path) -> Mapping[str, Sequence[tuple[str, str]]]:
    """The paths copied from the tree into each partition, with their targets, by the partition's name."""
    efi = [*tree.glob("usr/lib/efi/*/*/EFI"), *tree.glob("usr/lib/bootupd/updates/EFI")]
    kernels = [*tree.glob("usr/lib/modules/*/vmlinuz"), *tree.glob("usr/lib/modules/*/initramfs.img")]
    return {
        "EFI-SYSTEM": [(f"/{path.relative_to(tree)}", "/EFI") for path in sorted(efi)],
        "boot": [(f"/{path.relative_to(tree)}", f"/{path.name}") for path in kernels],
        "root": [("/", "/")],
    }


@dataclass(frozen=True)
class Mkosi:
    """mkosi from the tree `tools`; makes a disk with `gpt`'s partitions from `tree`, below `folder`."""

    tools: Path
    tree: Path
    gpt: Gpt
    folder: Path

    def prepare(self) -> None:
        """Make mkosi's folders and write the definitions of the partitions."""
        for name in ("settings/repart", "workspace", "output", "packages"):
            (self.folder / name).mkdir(parents=True)
        for name, text in definitions(self.gpt, self.tree).items():
            (self.folder / "settings/repart" / name).write_text(text)

    @property
    def version(self) -> str:
        """mkosi's version, such as `mkosi 25.3`."""
        return self._run("--version").decode().strip()

    def make(self) -> Elapsed:
        """The time for making the disk durably; the disk is deleted afterwards."""
        with measured_settled() as elapsed:
            self._run(*self._arguments(), "build")
            sync(self.folder / "output/disk.raw")
        for path in (self.folder / "output").iterdir():
            path.unlink()
        return elapsed

    def _arguments(self) -> list[str]:
        return [
            f"--tools-tree={self.tools}",
            "--distribution=custom",
            f"--base-tree={self.tree}",
            "--format=disk",
            # Without it file systems get 4096-byte sectors, regardless of the disk.
            f"--sector-size={self.gpt.sector_size}",
            f"--repart-directory={self.folder}/settings/repart",
            # Otherwise mkosi would install systemd's bootloader and make a unified kernel image.
            "--bootable=no",
            f"--workspace-directory={self.folder}/workspace",
            f"--package-cache-directory={self.folder}/packages",
            f"--output-directory={self.folder}/output",
            "--output=disk",
        ]

    def _run(self, *arguments: str) -> bytes:
        env = {**os.environ, "PYTHONPATH": str(self.tools / _PYTHON)}
        argv = [sys.executable, "-m", "mkosi", *arguments]
        # mkosi treats the working directory as the build's source: it must not write below it.
        settings = self.folder / "settings"
        return subprocess.run(argv, env=env, cwd=settings, check=True, capture_output=True).stdout

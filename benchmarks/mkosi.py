"""mkosi, making a disk with the partitions of a base disk from the layer's tree.

It comes out of Debian, with the programs it runs, as a tree that is kept packed in the test cache and given
to it as its `ToolsTree=`: what this machine has installed, or lacks, does not matter.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.taken import Taken, measured_settled
from bootimg import process
from bootimg.atomic import sync
from bootimg.disk.gpt import Gpt
from tests.layer import debian, store
from tests.layer.recipe import read_recipe

PACKAGES = ("mkosi", "systemd-repart", "e2fsprogs", "xfsprogs", "dosfstools", "mtools", "policycoreutils")
"""mkosi, what makes its file systems, and setfiles, which its own tools trees have: so it labels."""
FORMATS = {"EFI-SYSTEM": "vfat", "boot": "ext4", "root": "xfs"}
"""The file systems of the recipe's partitions, by their names."""
_PYTHON = "usr/lib/python3/dist-packages"


def why_not() -> str | None:
    """Why it cannot run here, or None."""
    if os.geteuid() != 0:
        return "the tree it takes has real owners, which takes root"
    wanted = ["tar", "unsquashfs"] if _packed().exists() else ["tar", "unsquashfs", "mmdebstrap", "apt-get"]
    lacking = [name for name in wanted if process.find(name) is None]
    return f"{', '.join(lacking)} not installed" if lacking else None


def _packed() -> Path:
    recipe = read_recipe()
    key = store.key(recipe.suite, PACKAGES, store.source("debian.py"))
    return store.test_cache() / "mkosi" / f"tools-{key}.tar"


def unpack_tools(folder: Path) -> Path:
    """mkosi and its programs as a tree below `folder`; fetched from Debian if they are not kept."""
    packed = _packed()
    packed.parent.mkdir(parents=True, exist_ok=True)
    with store.locked(packed.parent):
        recipe = replace(read_recipe(), packages=PACKAGES)
        store.made(packed, lambda output: debian.bootstrap(recipe, debian.find_mirror(), output))
    tree = folder / "mkosi-tools"
    tree.mkdir()
    # Programs of the tree run in mkosi's sandbox, which has a /dev of its own.
    subprocess.run(["tar", "-xf", packed, "-C", tree, "--exclude=./dev/*"], check=True, capture_output=True)
    return tree


def definitions(gpt: Gpt, tree: Path) -> dict[str, str]:
    """systemd-repart's files, by name: the partitions of a base disk, filled from the layer's tree."""
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
    """By a partition's name, what is copied into it from the tree, and where to."""
    efi = [*tree.glob("usr/lib/efi/*/*/EFI"), *tree.glob("usr/lib/bootupd/updates/EFI")]
    kernels = [*tree.glob("usr/lib/modules/*/vmlinuz"), *tree.glob("usr/lib/modules/*/initramfs.img")]
    return {
        "EFI-SYSTEM": [(f"/{path.relative_to(tree)}", "/EFI") for path in sorted(efi)],
        "boot": [(f"/{path.relative_to(tree)}", f"/{path.name}") for path in kernels],
        "root": [("/", "/")],
    }


@dataclass(frozen=True)
class Mkosi:
    """mkosi out of the tree `tools`, making a disk like `gpt` of `tree`; all it writes is below `folder`."""

    tools: Path
    tree: Path
    gpt: Gpt
    folder: Path

    def prepare(self) -> None:
        """Make its folders and write the definitions of the partitions."""
        for name in ("settings/repart", "workspace", "output", "packages"):
            (self.folder / name).mkdir(parents=True)
        for name, text in definitions(self.gpt, self.tree).items():
            (self.folder / "settings/repart" / name).write_text(text)

    @property
    def version(self) -> str:
        """What it calls itself, as `mkosi 25.3`."""
        return self._run("--version").decode().strip()

    def make(self) -> Taken:
        """What the disk takes, made durable; it is deleted again."""
        with measured_settled() as taken:
            self._run(*self._arguments(), "build")
            sync(self.folder / "output/disk.raw")
        for path in (self.folder / "output").iterdir():
            path.unlink()
        return taken

    def _arguments(self) -> list[str]:
        return [
            f"--tools-tree={self.tools}",
            "--distribution=custom",
            f"--base-tree={self.tree}",
            "--format=disk",
            # Without it file systems get sectors of 4096 bytes, whatever the disk has.
            f"--sector-size={self.gpt.sector_size}",
            f"--repart-directory={self.folder}/settings/repart",
            # Else it would install a bootloader of its own, systemd's, and make a unified kernel image.
            "--bootable=no",
            f"--workspace-directory={self.folder}/workspace",
            f"--package-cache-directory={self.folder}/packages",
            f"--output-directory={self.folder}/output",
            "--output=disk",
        ]

    def _run(self, *arguments: str) -> bytes:
        env = {**os.environ, "PYTHONPATH": str(self.tools / _PYTHON)}
        argv = [sys.executable, "-m", "mkosi", *arguments]
        # The working directory counts as source of what is built: nothing mkosi writes may be below it.
        settings = self.folder / "settings"
        return subprocess.run(argv, env=env, cwd=settings, check=True, capture_output=True).stdout

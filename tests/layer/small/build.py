"""A small layer in two stages that are each kept: Debian's packages, and the archive."""

from __future__ import annotations

import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg.arch import Arch
from tests.layer import store
from tests.layer.progress import timed
from tests.layer.recipe import DEFAULT_VERSION, ROOTFS, Recipe, read_recipe
from tests.layer.small.bootupd import bootupd_files
from tests.layer.small.convert import SHARED, convert
from tests.layer.small.pack import pack
from tests.layer.small.packages import packages_path, unpack_packages
from tests.layer.small.recipe import HERE, SmallRecipe, read_small_recipe, rootfs_of


def small_layer(arch: Arch = Arch.AARCH64, *, bootupd: bool = False) -> Path:
    """The OCI archive of an architecture's small layer; made, in minutes, if the test cache lacks it.

    With `bootupd` it has bootupd's files, and a program of that name that does nothing.
    """
    debian = read_recipe()
    recipe = read_small_recipe(arch, debian)
    packages = packages_path(recipe, debian)
    sources = sorted(HERE.glob("*.py"))
    key = store.key(
        packages.name,
        dict(bootupd_files()) if bootupd else None,
        HERE / "recipe.toml",
        HERE / "init",
        HERE / "live",
        *(path for path in (HERE / "rootfs", rootfs_of(arch)) if path.exists()),
        *(ROOTFS / name for name in SHARED),
        *sources,
    )
    path = store.layers() / key / f"rhcos-{DEFAULT_VERSION}-ostree.{arch}.ociarchive"
    if path.exists():
        return path
    with store.locked(store.layers()):
        with timed(f"packages of the small layer of {arch}"):
            store.made(packages, lambda output: unpack_packages(recipe, debian, output))
        with timed(f"small layer of {arch}"):
            return store.made(path, lambda output: _make(packages, recipe, debian, output, bootupd))


def _make(packages: Path, recipe: SmallRecipe, debian: Recipe, output: Path, bootupd: bool) -> None:
    with tarfile.open(packages) as archive, TemporaryDirectory(dir=store.layers(), prefix="layers.") as work:
        content = convert(archive, recipe, debian, Path(work), bootupd=bootupd)
        pack(content, recipe, Path(work, "blobs"), output)

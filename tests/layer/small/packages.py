"""Debian's packages of a small layer, unpacked and not configured."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg import process
from tests.layer import store
from tests.layer.debian import find_mirror, preferences, proxy_options
from tests.layer.recipe import SOURCE_DATE_EPOCH, Recipe
from tests.layer.small.recipe import SmallRecipe


def packages_path(recipe: SmallRecipe, debian: Recipe) -> Path:
    """Where the tar file of the packages is kept."""
    key = store.key(recipe.packages, recipe.suite, debian.grub_pin, store.source("small/packages.py"))
    return store.layers() / f"stages/packages-{recipe.arch}-{key}.tar"


def unpack_packages(recipe: SmallRecipe, debian: Recipe, output: Path) -> None:
    """Write the unpacked packages as a tar file; their scripts do not run."""
    process.require("mmdebstrap", packages="mmdebstrap, apt and debian-archive-keyring")
    mirror = find_mirror()
    whole = mirror.sources(debian) if recipe.suite == debian.suite else mirror.grub_source(debian)
    with TemporaryDirectory(prefix="stand-in-debian.") as name:
        # Hooks run as another user id where mmdebstrap uses user namespaces.
        Path(name).chmod(0o755)
        pins = Path(name) / "preferences"
        pins.write_text(preferences(debian))
        folder = '"$1/etc/apt/preferences.d"'
        process.run(
            [
                "mmdebstrap", "--quiet", "--format=tar", "--variant=extract", "--skip=check/qemu",
                f"--architectures={recipe.arch.row.names.debian}", f"--include={','.join(recipe.packages)}",
                *(f"--aptopt={option}" for option in ("Apt::Install-Recommends false", *proxy_options())),
                f"--setup-hook=mkdir -p {folder} && cp {pins} {folder}/grub",
                recipe.suite, output, *whole,
            ],
            env={"SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH)},
            timeout=3600,
        )  # fmt: skip

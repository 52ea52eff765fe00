"""The bootloader of a small layer, by the kind that its architecture's row names."""

from __future__ import annotations

from pathlib import Path

from bootimg import process
from bootimg.arches.row import BootloaderKind
from tests.layer.recipe import Recipe, efi_name
from tests.layer.small.recipe import SmallRecipe
from tests.layer.small.written import write_files
from tests.layer.tree import Tree, file_node, put, select


def place_bootloader(tree: Tree, recipe: SmallRecipe, debian: Recipe, work: Path) -> None:
    """Put it where bootimg looks for it; `work` is for scratch files.

    GRUB for PReP and zipl are already there: their files stay where their packages have them.
    """
    if BootloaderKind.EFI_GRUB in recipe.arch.row.bootloaders:
        _place_efi(tree, recipe, debian, work)


def _place_efi(tree: Tree, recipe: SmallRecipe, debian: Recipe, work: Path) -> None:
    """What goes onto the ESP: shim as Debian signed it, and a GRUB that knows blscfg, unsigned."""
    name, vendor, target = efi_name(recipe.arch), debian.vendor, debian.efi_formats[recipe.arch]
    folder = f"usr/lib/grub/{target}"
    write_files(select(tree, lambda path: path.startswith(folder)), work / "root")
    modules = [each for each in debian.efi_modules if f"{folder}/{each}.mod" in tree]
    grub = work / "grub.efi"
    program = process.find("grub2-mkimage") or process.require("grub-mkimage", packages="grub-common")
    process.run(
        [
            program, f"--format={target}", f"--directory={work / 'root' / folder}",
            f"--prefix=/EFI/{vendor}", f"--output={grub}", *modules,
        ]
    )  # fmt: skip
    shim, fallback, manager = (
        tree[f"usr/lib/shim/{program}{name}.efi.signed"].read() for program in ("shim", "fb", "mm")
    )
    entry = f"shim{name}.efi,{vendor},,Boot entry of {vendor}\n"
    files = {
        f"shim/1/EFI/BOOT/BOOT{name.upper()}.EFI": shim,
        f"shim/1/EFI/BOOT/fb{name}.efi": fallback,
        f"shim/1/EFI/{vendor}/shim{name}.efi": shim,
        f"shim/1/EFI/{vendor}/mm{name}.efi": manager,
        f"shim/1/EFI/{vendor}/BOOT{name.upper()}.CSV": b"\xff\xfe" + entry.encode("utf-16-le"),
        f"grub2/1/EFI/{vendor}/grub{name}.efi": grub.read_bytes(),
    }
    for path, content in files.items():
        put(tree, f"usr/lib/efi/{path}", file_node(path, content, mode=0o644))

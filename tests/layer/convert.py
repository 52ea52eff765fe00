"""The package tree becomes the tree of a CoreOS layer.

    python -m tests.layer.convert IN.tar OUT.tar FLAVOUR ARCH TOOL…

Runs as root of a mount namespace (see sandbox.py): programs of the tree run in a chroot.  What depends
on the version asked for (os-release, image.json, the RPM database) is not done here.
"""

from __future__ import annotations

import hashlib
import hmac
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

from bootimg.arch import Arch
from tests.layer import coreos
from tests.layer.chroot import chroot, chroot_mounts, copy_over, debian_version, run
from tests.layer.recipe import ROOTFS, SOURCE_DATE_EPOCH, Flavour, Recipe, efi_name, read_recipe

_TAR = ("tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--format=posix")
# The key is not a secret: it is the one RHEL's kernel package uses, and libkcapi and fipscheck after it.
_HMAC_KEY = b"orboDeJITITejsirpADONivirpUkvarP"


def main() -> None:
    """Convert the tar file of the first argument into that of the second."""
    source, output, *folders = map(Path, [*sys.argv[1:3], *sys.argv[5:]])
    recipe = read_recipe(Flavour(sys.argv[3]), arch=Arch(sys.argv[4]))
    root = Path(mkdtemp(prefix="tree.", dir=output.parent))
    try:
        run(*_TAR, "--extract", "--exclude=./dev/*", "--file", source, "--directory", root)
        convert(root, recipe, dict(zip(recipe.tools, folders, strict=True)))
        epoch = f"--mtime=@{SOURCE_DATE_EPOCH}"
        sort = ("--sort=name", "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime")
        run(*_TAR, "--create", *sort, epoch, "--clamp-mtime", "--file", output, "--directory", root, ".")
    finally:
        # Not shutil.rmtree: what is mounted below must survive even when an unmounting failed.
        subprocess.run(["rm", "--recursive", "--force", "--one-file-system", root], check=False)


def convert(root: Path, recipe: Recipe, tools: Mapping[str, Path]) -> None:
    """Do all that turns Debian's tree into the layer's, in place; `tools` are the folders of the compiled."""
    kernel = place_kernel(root)
    (root / "etc/dracut.conf.d/ostree.conf").unlink()
    copy_over(root, ROOTFS)
    mask(root, recipe)
    move_selinux_store(root)
    place_efi(root, recipe)
    name_grub_programs(root)
    place_isolinux(root, recipe)
    if tools:
        coreos.add(root, tools)
    make_initramfs(root, kernel)
    lay_out(root, recipe)


def place_kernel(root: Path) -> str:
    """The kernel goes beside its modules, its checksum with it; returns its version."""
    (folder,) = (root / "usr/lib/modules").iterdir()
    version = folder.name
    for source, target in (("vmlinuz", "vmlinuz"), ("config", "config"), ("System.map", "System.map")):
        shutil.move(root / f"boot/{source}-{version}", folder / target)
    digest = kernel_checksum((folder / "vmlinuz").read_bytes())
    (folder / ".vmlinuz.hmac").write_text(f"{digest}  vmlinuz-{version}\n")
    return version


def kernel_checksum(kernel: bytes) -> str:
    """The checksum in .vmlinuz.hmac."""
    return hmac.new(_HMAC_KEY, kernel, hashlib.sha512).hexdigest()


def mask(root: Path, recipe: Recipe) -> None:
    """Mask units and generators."""
    for folder, names in (("system", recipe.masked_units), ("system-generators", recipe.masked_generators)):
        parent = root / "etc/systemd" / folder
        parent.mkdir(exist_ok=True)
        for name in names:
            (parent / name).unlink(missing_ok=True)
            (parent / name).symlink_to("/dev/null")


def move_selinux_store(root: Path) -> None:
    """The module store moves out of /var, to where RHEL's CoreOS has it."""
    store = root / "var/lib/selinux/default"
    shutil.copytree(store, root / "etc/selinux/default", symlinks=True, dirs_exist_ok=True)
    with (root / "etc/selinux/semanage.conf").open("a") as config:
        config.write("store-root = /etc/selinux\n")


def place_efi(root: Path, recipe: Recipe) -> None:
    """What goes onto the ESP: shim as Debian signed it, and a GRUB that knows blscfg, unsigned."""
    vendor, name = recipe.vendor, efi_name(recipe.arch)
    shim = root / "usr/lib/efi/shim" / debian_version(root, "shim-signed") / "EFI"
    grub = Path("usr/lib/efi/grub2") / debian_version(root, recipe.grub_package) / "EFI" / vendor
    for folder in (shim / "BOOT", shim / vendor, root / grub):
        folder.mkdir(parents=True)
    signed = root / "usr/lib/shim"
    shutil.copy(signed / f"shim{name}.efi.signed", shim / f"BOOT/BOOT{name.upper()}.EFI")
    shutil.copy(signed / f"fb{name}.efi.signed", shim / f"BOOT/fb{name}.efi")
    shutil.copy(signed / f"shim{name}.efi.signed", shim / vendor / f"shim{name}.efi")
    shutil.copy(signed / f"mm{name}.efi.signed", shim / vendor / f"mm{name}.efi")
    entry = f"shim{name}.efi,{vendor},,Boot entry of {vendor}\n"
    (shim / vendor / f"BOOT{name.upper()}.CSV").write_bytes(b"\xff\xfe" + entry.encode("utf-16-le"))
    with chroot_mounts(root):
        chroot(root, "grub-mkimage", f"--format={recipe.efi_formats[recipe.arch]}", f"--prefix=/EFI/{vendor}",
                f"--output=/{grub}/grub{name}.efi", *recipe.efi_modules)  # fmt: skip


def name_grub_programs(root: Path) -> None:
    """Give GRUB's programs the names that Fedora and RHEL give them too."""
    for folder in ("usr/bin", "usr/sbin"):
        for program in sorted((root / folder).glob("grub-*")):
            (program.parent / f"grub2-{program.name.removeprefix('grub-')}").symlink_to(program.name)


def place_isolinux(root: Path, recipe: Recipe) -> None:
    """The programs that start an ISO by BIOS, where Fedora's package has them; the others go."""
    if not recipe.isolinux:
        return
    target = root / "usr/share/syslinux"
    target.mkdir()
    for folder, names in recipe.isolinux.items():
        for name in names:
            shutil.copy(root / folder / name, target / name)
    for folder in ("usr/lib/ISOLINUX", "usr/lib/syslinux"):
        shutil.rmtree(root / folder)


def make_initramfs(root: Path, kernel: str) -> None:
    """Run dracut in the tree."""
    output = f"/usr/lib/modules/{kernel}/initramfs.img"
    with chroot_mounts(root):
        chroot(
            root,
            "env",
            "TMPDIR=/tmp",
            "SYSTEMD_IGNORE_CHROOT=1",
            "dracut",
            "--force",
            "--kver",
            kernel,
            output,
        )
    if not (root / output[1:]).stat().st_size:
        raise SystemExit("dracut made an empty initramfs")


def lay_out(root: Path, recipe: Recipe) -> None:
    """The root directory as ostree wants it."""
    shutil.move(root / "var/lib/dpkg", root / "usr/share/dpkg-db")
    for name in recipe.removed:
        _remove(root / name)
    for pattern in recipe.removed_patterns:
        for path in root.glob(pattern):
            _remove(path)
    for name, target in recipe.links.items():
        _remove(root / name)
        (root / name).symlink_to(target)
    for name in recipe.emptied:
        _remove(root / name)
        (root / name).mkdir()
        (root / name).chmod(0o1777 if name == "tmp" else 0o755)
    for name, target in recipe.hardlinks.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).hardlink_to(root / target)
    (root / "etc/fstab").write_text("")


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)


if __name__ == "__main__":
    main()

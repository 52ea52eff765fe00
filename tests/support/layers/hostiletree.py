"""Trees that have all that a commit may have and few have."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

KERNEL = "usr/lib/modules/6.1-x"


def hostile_tree(top: Path, variant: int) -> Path:
    """Variant 1 has a tree of device trees, 2 a single one and no tmpfiles.d, 3 no /var."""
    _skeleton(top, variant)
    _kernel(top, variant)
    if variant != 3:
        _var(top)
    _etc(top)
    _programs(top)
    _odd_files(top)
    _container(top)
    top.chmod(0o555)
    return top


def _skeleton(top: Path, variant: int) -> None:
    for name in (KERNEL, "usr/etc", "usr/bin", "boot", "dev", "proc", "sysroot", "tmp", "usr/share/d",
                 "usr/lib/containers/over", "usr/lib/modules/nokernel"):  # fmt: skip
        (top / name).mkdir(parents=True)
    if variant != 2:
        (top / "usr/lib/tmpfiles.d").mkdir()
    (top / "usr/lib/os-release").write_text("# comment\nNAME=\"n\"\nPRETTY_NAME='It'\\''s \"x\"'\nID=e\n")


def _kernel(top: Path, variant: int) -> None:
    folder = top / KERNEL
    (folder / "vmlinuz").write_bytes(os.urandom(300000))
    (folder / "initramfs.img").write_bytes(os.urandom(500000))
    (folder / "initramfs.img").chmod(0o600)
    if variant == 2:
        (folder / "devicetree").write_text("dt\n")
        return
    (folder / ".vmlinuz.hmac").write_text("hm\n")
    if variant == 1:
        for name in ("a.dtb", "vendor/b.dtb", "vendor/sub/e.dtb", ".hid", "vendor.dtb", "Z", "empty"):
            path = folder / "dtb" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("" if name == "empty" else f"{name}\n")
        (folder / "dtb/vendor").chmod(0o700)


def _var(top: Path) -> None:
    var = top / "var"
    (var / "lib/x").mkdir(parents=True)
    (var / "tmp").mkdir()
    (var / "tmp").chmod(0o1777)
    (var / "lib/x/f").write_text("v\n")
    (var / "lib/empty").touch()
    (var / "run").symlink_to("../run")
    os.chown(var / "lib/x", 5, 6)
    (var / "lib/x").chmod(0o2770)
    os.setxattr(var / "lib", "user.v", b"1")
    os.chown(var, 3, 4)
    var.chmod(0o711)


def _etc(top: Path) -> None:
    etc = top / "usr/etc"
    (etc / "d/e").mkdir(parents=True)
    for name, text in {"passwd": "p\n", "empty": "", "d/e/s": "s\n", ".updated": "", "copy": "c\n"}.items():
        (etc / name).write_text(text)
    (etc / "link").symlink_to("passwd")
    for name in ("d", "passwd"):
        os.chown(etc / name, 0, 42)
    (etc / "d/e/s").chmod(0o4711)
    (etc / "d/e").chmod(0)
    (etc / "d").chmod(0o700)
    os.setxattr(etc / "d", "user.x", b"y")
    shutil.copy2(etc / "copy", etc / "copy2")
    for path in (etc / "copy", etc):
        os.setxattr(path, "security.selinux", b"system_u:object_r:etc_t:s0\0")


def _programs(top: Path) -> None:
    folder = top / "usr/bin"
    for name in ("su", "cap"):
        (folder / name).write_text("x\n")
    os.chown(folder / "su", 0, 7)
    (folder / "su").chmod(0o6755)
    subprocess.run(["setcap", "cap_net_raw+ep", folder / "cap"], check=True)
    (folder / "zero").touch()
    (folder / "zero").chmod(0o4755)
    os.setxattr(folder / "zero", "user.z", b"zz")


def _odd_files(top: Path) -> None:
    folder = top / "usr/share/d"
    for name in "123":
        (folder / name).write_text("same\n")
    os.link(folder / "1", folder / "4")
    for name in ("l 1", "l2"):
        (folder / name).symlink_to("a b")
    (folder / "ü ñ").write_text("u\n")
    for name in ("z1", "z2"):
        (folder / name).touch()
    (top / "usr/share/sticky").mkdir()
    (top / "usr/share/sticky").chmod(0o1777)
    folder.chmod(0o2755)
    os.setxattr(folder / "2", "trusted.t", b"t")


def _container(top: Path) -> None:
    over = top / "usr/lib/containers/over"
    os.setxattr(over, "trusted.overlay.opaque", b"y")
    hidden = over / ".ostree-wh.gone"
    hidden.touch()
    os.chown(hidden, 1, 2)
    hidden.chmod(0o640)
    os.setxattr(hidden, "security.selinux", b"system_u:object_r:usr_t:s0\0")

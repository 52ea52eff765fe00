"""The stand-in layer as other programs read it: skopeo, umoci, rpm, cpio."""

from __future__ import annotations

import hmac
import json
import os
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.layer import Variant, stand_in

pytestmark = pytest.mark.real

PROGRAMS = [
    *("mkfs.xfs", "mkfs.ext4", "mkfs.fat", "xfs_repair", "e2fsck", "fsck.fat", "fstrim", "mount", "ostree"),
    *(
        "setfiles",
        "chattr",
        "lsattr",
        "grub-mkimage",
        "grub2-mkimage",
        "tar",
        "cp",
        "readlink",
        "python3",
        "sshd",
    ),
]


def output(*argv: str | Path) -> str:
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout.decode()


def inspect(archive: Path, *options: str) -> dict[str, Any]:
    return dict(json.loads(output("skopeo", "inspect", *options, f"oci-archive:{archive}")))


def merged(archive: Path, folder: Path) -> Path:
    # This umoci does not read zstd; skopeo makes gzip of it on the way.
    output(
        "skopeo",
        "copy",
        "--quiet",
        "--dest-compress-format=gzip",
        f"oci-archive:{archive}",
        f"oci:{folder}/oci:x",
    )
    output("umoci", "raw", "unpack", "--image", f"{folder}/oci:x", folder / "root")
    return folder / "root"


@pytest.fixture(scope="module")
def archive() -> Path:
    return stand_in()


@pytest.fixture(scope="module")
def root(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root can unpack a tree with its owners")
    folder = tmp_path_factory.mktemp("stand-in")
    yield merged(archive, folder)
    output("rm", "-rf", folder)


def test_labels_and_layers(archive: Path) -> None:
    raw = inspect(archive, "--raw")
    assert [layer["mediaType"].rpartition("+")[2] for layer in raw["layers"]] == ["gzip", "zstd", "gzip"]
    labels = inspect(archive)["Labels"]
    assert labels["containers.bootc"] == labels["ostree.bootable"] == "1"
    assert labels["org.opencontainers.image.version"] == "9.6.20261101-0"
    assert (labels["com.coreos.osname"], labels["com.coreos.stream"]) == ("rhcos", "rhel-9.6")


def test_layers_have_whiteouts_an_opaque_directory_and_links(archive: Path, tmp_path: Path) -> None:
    output("skopeo", "copy", "--quiet", f"oci-archive:{archive}", f"oci:{tmp_path}:x")
    top = inspect(archive, "--raw")["layers"][-1]["digest"].removeprefix("sha256:")
    listed = output("tar", "--gzip", "--list", "--verbose", "--file", tmp_path / "blobs/sha256" / top)
    assert "etc/dracut.conf.d/.wh..wh..opq" in listed
    assert "etc/.wh.apt" in listed and "usr/lib/.wh.shim" in listed
    assert "home -> var/home" in listed, "a directory of the layer below is a link now"
    assert "usr/share/licenses/less/copyright link to usr/share/doc/less/copyright" in listed


def test_kernel_and_initramfs(root: Path, archive: Path) -> None:
    (modules,) = (root / "usr/lib/modules").iterdir()
    assert inspect(archive)["Labels"]["ostree.linux"] == modules.name
    assert {"vmlinuz", "initramfs.img", ".vmlinuz.hmac"} <= {path.name for path in modules.iterdir()}
    digest = (modules / ".vmlinuz.hmac").read_text().split()[0]
    key = b"orboDeJITITejsirpADONivirpUkvarP"
    assert hmac.new(key, (modules / "vmlinuz").read_bytes(), "sha512").hexdigest() == digest
    plain = subprocess.run(
        ["zstd", "-dc", modules / "initramfs.img"], check=True, stdout=subprocess.PIPE
    ).stdout
    listed = subprocess.run(
        ["cpio", "--list", "--quiet"], input=plain, check=True, stdout=subprocess.PIPE
    ).stdout
    names = set(listed.decode().splitlines())
    for name in ("usr/bin/ignition", "usr/lib/ostree/ostree-prepare-root", "usr/sbin/xfs_growfs",
                 "usr/sbin/coreos-gpt-setup", "usr/lib/systemd/system/sysroot.mount"):  # fmt: skip
        assert name in names
    assert (modules / "initramfs.img").stat().st_size < 60 << 20


def test_the_root_directory_is_as_ostree_wants_it(root: Path) -> None:
    assert (root / "ostree").readlink() == Path("sysroot/ostree")
    for name in ("sysroot", "var", "boot", "run", "dev", "efi"):
        assert not list((root / name).iterdir()), name
    assert (root / "etc").is_dir() and not (root / "usr/etc").exists()
    assert not (root / "etc/machine-id").exists() and not (root / "etc/apt").exists()
    assert stat.S_IMODE((root / "tmp").stat().st_mode) == 0o1777


def test_programs_of_the_tool_tree(root: Path) -> None:
    folders = [root / "usr/bin", root / "usr/sbin"]
    missing = [name for name in PROGRAMS if not any((folder / name).is_file() for folder in folders)]
    assert not missing
    for target in ("i386-pc", "x86_64-efi"):
        assert (root / "usr/lib/grub" / target / "blsuki.mod").exists()


def test_special_modes_links_and_xattrs(root: Path) -> None:
    assert (root / "usr/bin/sudo").stat().st_mode & stat.S_ISUID
    assert "security.capability" in os.listxattr(root / "usr/bin/arping")
    contract = root / "usr/share/coreos-assembler"
    assert os.getxattr(contract / "image.json", "user.mime_type") == b"application/json"
    one, other = root / "usr/share/licenses/less/copyright", root / "usr/share/doc/less/copyright"
    assert one.samefile(other) and one.stat().st_nlink == 2
    assert (root / "usr/bin/perl").stat().st_nlink == 2


def test_efi_payload(root: Path) -> None:
    files = {str(path.relative_to(root / "usr/lib/efi")) for path in (root / "usr/lib/efi").rglob("*.*")}
    names = {name.split("/", 2)[0] + "/" + name.split("/", 2)[2] for name in files if "/EFI/" in name}
    assert {
        "shim/EFI/BOOT/BOOTX64.EFI",
        "shim/EFI/redhat/shimx64.efi",
        "grub2/EFI/redhat/grubx64.efi",
    } <= names
    (grub,) = (root / "usr/lib/efi/grub2").rglob("grubx64.efi")
    assert b"blscfg" in grub.read_bytes() and b"/EFI/redhat" in grub.read_bytes()


def test_rpm_database(root: Path) -> None:
    names = output("rpm", f"--dbpath={root}/usr/share/rpm", "-qa", "--qf", "%{NAME}\n").split()
    assert {"kernel", "systemd", "ostree", "ignition", "grub2-tools", "shim-x64"} <= set(names)
    assert not [name for name in names if "openshift" in name or "cri-o" in name]
    database = root / "usr/share/rpm/rpmdb.sqlite"
    with sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)


def test_selinux_policy(root: Path) -> None:
    config = (root / "etc/selinux/config").read_text()
    assert "SELINUXTYPE=default" in config and "SELINUX=enforcing" not in config
    policy = root / "etc/selinux/default"
    assert (policy / "contexts/files/file_contexts").stat().st_size > 10_000
    assert list((policy / "policy").glob("policy.*"))


def test_the_changed_variant_adds_one_small_layer(archive: Path) -> None:
    changed = stand_in(variant=Variant.CHANGED)
    old, new = inspect(archive, "--raw")["layers"], inspect(changed, "--raw")["layers"]
    assert new[:-1] == old
    assert new[-1]["size"] < 1 << 20
    assert inspect(changed)["Labels"]["org.opencontainers.image.version"] == "9.6.20261108-0"

"""The live system's tree: the partitions of an installed one, put together and changed where it has to be."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from bootimg.errors import BootimgError
from bootimg.live.roottree import live_root, require_checksum
from bootimg.sysroot.entries import Entry, Kind, directory, text
from bootimg.sysroot.system import System
from tests.support.layers.oci import KERNEL
from tests.unit.live.layers import layer_tree

CONFIG = b"[core]\nmode=bare\n\n[sysroot]\nreadonly=true\nbootprefix=true\n"
ROOT = (
    directory("", 0o755, 1),
    directory("boot", 0o755, 2),
    directory("ostree", 0o755, 3),
    directory("ostree/repo", 0o755, 3),
    text("ostree/repo/config", CONFIG, 3),
)
BOOT = (
    directory("", 0o700, 4),
    directory("efi", 0o755, 5),
    directory("ostree", 0o755, 6),
    directory("ostree/os-1", 0o755, 6),
    text("ostree/os-1/vmlinuz-6", b"kernel", 6, 0o755),
    text("ostree/os-1/.vmlinuz-6.hmac", b"hmac", 6),
)
ESP = (directory("EFI", 0o700, 7), text("EFI/x.efi", b"x", 7, 0o600))


def by_path(system: System, esp: tuple[Entry, ...]) -> dict[str, Entry]:
    entries = live_root(system, esp)
    found = {entry.path.decode(): entry for entry in entries}
    assert len(found) == len(entries)
    order = list(found)
    assert all(path.rpartition("/")[0] in order[:at] for at, path in enumerate(order) if path)
    return found


def test_each_partition_is_at_its_mount_point() -> None:
    """The root directories of /boot and the ESP take the place of the mount points."""
    found = by_path(System(ROOT, BOOT), ESP)
    assert found["boot"].mode == 0o700
    assert found["boot/efi"] == Entry(path=b"boot/efi", kind=Kind.DIRECTORY, mode=0o755)
    assert (found["boot/efi/EFI"].mode, found["boot/efi/EFI/x.efi"].mode) == (0o755, 0o755)
    assert found["boot/efi/EFI/x.efi"].content == b"x"


def test_without_an_esp_its_mount_point_stays() -> None:
    """As on an architecture that has none."""
    assert by_path(System(ROOT, BOOT), ())["boot/efi"].mtime == 5


def test_the_repository_is_not_read_only() -> None:
    """One line of its configuration goes."""
    config = by_path(System(ROOT, BOOT), ())["ostree/repo/config"]
    assert config.content == CONFIG.replace(b"readonly=true\n", b"")
    assert config.size == len(CONFIG) - len("readonly=true\n")


def test_kernel_and_checksum_have_names_at_the_top() -> None:
    """As hard links."""
    found = by_path(System(ROOT, BOOT), ())
    for name, inner in (
        ("vmlinuz-6", "ostree/os-1/vmlinuz-6"),
        (".vmlinuz-6.hmac", "ostree/os-1/.vmlinuz-6.hmac"),
    ):
        top, below = found[f"boot/{name}"], found[f"boot/{inner}"]
        assert top.link is not None
        assert replace(top, path=below.path) == below


@pytest.mark.parametrize("missing", [4, 5])
def test_a_kernel_without_a_checksum_is_refused(missing: int) -> None:
    """A live system in FIPS mode would not boot."""
    boot = [entry for at, entry in enumerate(BOOT) if at != missing]
    with pytest.raises(BootimgError, match="live-kernel-hmac-missing"):
        live_root(System(ROOT, boot), ())


@pytest.mark.parametrize("name", [".vmlinuz.hmac", "vmlinuz.hmac"])
def test_a_plan_knows_a_kernel_without_a_checksum(name: str, tmp_path: Path) -> None:
    tree = layer_tree(tmp_path, {f"usr/lib/modules/{KERNEL}/{name}": b"checksum"})
    refused = nullcontext() if name.startswith(".") else pytest.raises(BootimgError, match="live-kernel-hmac")
    with refused:
        require_checksum(tree)

"""Superblocks of real file systems, and what is refused."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest

from bootimg.errors import BootimgError
from bootimg.live.fsheader import FsHeader, read_header
from bootimg.live.fsoptions import FsType


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "d").mkdir(parents=True)
    (folder / "d/f").write_bytes(b"text " * 50_000)
    (folder / "d/g").hardlink_to(folder / "d/f")
    (folder / "s").symlink_to("d")
    return folder


def squashfs(tree: Path, image: Path, compressor: str) -> bytes:
    subprocess.run(["mksquashfs", tree, image, "-comp", compressor, "-quiet", "-no-progress"], check=True)
    return image.read_bytes()


def erofs(tree: Path, image: Path, *options: str) -> bytes:
    subprocess.run(["mkfs.erofs", *options, image, tree], check=True, capture_output=True)
    return image.read_bytes()


@pytest.mark.parametrize("compressor", ["gzip", "xz", "zstd"])
def test_squashfs_is_recognised(compressor: str, tree: Path, tmp_path: Path) -> None:
    """Root, one folder, one file with two names, one symlink; behind other bytes."""
    data = squashfs(tree, tmp_path / "image", compressor)
    found = read_header(io.BytesIO(bytes(124) + data), 124)
    assert (found.fstype, found.inodes, found.compressors) == (FsType.SQUASHFS, 4, (compressor,))
    assert len(data) - 4096 < found.size <= len(data)


@pytest.mark.parametrize(("options", "compressors"), [((), ()), (("-zlz4",), ("lz4",))])
def test_erofs_is_recognised(
    options: tuple[str, ...], compressors: tuple[str, ...], tree: Path, tmp_path: Path
) -> None:
    """Compressed and not."""
    data = erofs(tree, tmp_path / "image", *options)
    assert read_header(io.BytesIO(data), 0) == FsHeader(FsType.EROFS, len(data), 4, compressors)


def test_what_is_no_root_file_system_is_refused(tree: Path, tmp_path: Path) -> None:
    """Other bytes, a superblock of another version, half an image."""
    data = squashfs(tree, tmp_path / "image", "gzip")
    other_version = data[:28] + b"\3" + data[29:]
    for wrong in (b"", b"hsqs", bytes(5000), other_version, data[:200], data[:96]):
        with pytest.raises(BootimgError, match="live-rootfs-unreadable"):
            read_header(io.BytesIO(wrong), 0)

"""The initramfs of a live system and the rootfs image, as archives that follow each other."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from bootimg.live import cpio
from bootimg.live.cpio import Member
from bootimg.live.cpioread import read_archive, read_member
from bootimg.live.fsoptions import FsType
from bootimg.live.initramfs import overlay, write_initramfs
from bootimg.live.rootfsimage import DATA_OFFSET, write_image
from bootimg.untrusted.budget import Budget


@pytest.mark.parametrize("length", range(5))
def test_the_archive_is_aligned_behind_any_initramfs(length: int, tmp_path: Path) -> None:
    """The kernel passes over one that is not, without a word; another can follow."""
    own = b"x" * length
    written = write_initramfs(tmp_path / "img", [own[:2], own[2:]], overlay("v1", b"{}\n", b"hashes\n"))
    data = (tmp_path / "img").read_bytes()
    assert (written.size, written.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert data.startswith(own)
    start = length + -length % 4
    assert len(data) % 4 == 0
    found = {
        each.name: read_member(io.BytesIO(data), each, Budget())
        for each in read_archive(io.BytesIO(data), start, len(data), Budget())
        if each.is_file
    }
    assert found == {
        "etc/coreos-live-initramfs": b"v1\n",
        "etc/coreos-live-want-rootfs": b"hashes\n",
        "etc/coreos/features.json": b"{}\n",
    }


def test_the_rootfs_image_has_the_file_system_first(tmp_path: Path) -> None:
    """Then the build's id and the further files; the digests are of what is in the file."""
    (tmp_path / "fs").write_bytes(b"hsqs" + bytes(5 << 20))
    (tmp_path / "osmet").write_bytes(b"o" * 10)
    image = write_image(
        tmp_path / "img", tmp_path / "fs", FsType.SQUASHFS, "v1", [Member("metal.osmet", tmp_path / "osmet")]
    )
    data = (tmp_path / "img").read_bytes()
    assert (image.written.size, image.written.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    chunks = [hashlib.sha256(data[at : at + (2 << 20)]).hexdigest() for at in range(0, len(data), 2 << 20)]
    assert image.want_rootfs.decode().splitlines() == ["stream-hash sha256 2097152", *chunks]
    found = list(read_archive(io.BytesIO(data), 0, len(data), Budget()))
    assert [each.name for each in found] == ["root.squashfs", "etc", "etc/coreos-live-rootfs", "metal.osmet"]
    assert (found[0].offset, found[0].size) == (DATA_OFFSET, (5 << 20) + 4)
    assert read_member(io.BytesIO(data), found[2], Budget()) == b"v1\n"
    assert len(data) % cpio.ALIGNMENT == 0

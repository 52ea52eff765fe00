"""What is uncompressed is charged to a budget: files of a build, and disks that a registry sends."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import zstandard

from bootimg.arch import Arch
from bootimg.cloud.registries.blobrest import BlobSource
from bootimg.cloud.registries.diskartifact import Choice, DiskArtifact
from bootimg.cloud.registries.receiving import Received, Transfer, _read_plain
from bootimg.errors import BootimgError
from bootimg.formats import Compressor
from bootimg.formats.compression.unpack import unpack
from bootimg.jobs import Stop
from bootimg.layer.fetching.skopeo import RegistryOptions
from bootimg.sizes import MIB
from bootimg.untrusted.limits import DEFAULT, Limits

LOW = Limits(unpacked=MIB)
DATA = random.Random(1).randbytes(1000) * 3000


def test_a_file_that_unpacks_to_more_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "packed").write_bytes(zstandard.compress(DATA))
    with pytest.raises(BootimgError, match="image-over-budget") as caught:
        unpack(tmp_path / "packed", tmp_path / "plain", limits=LOW)
    assert "the limit `unpacked`" in caught.value.message
    assert [each.name for each in tmp_path.iterdir()] == ["packed"]
    assert unpack(tmp_path / "packed", tmp_path / "plain").path.read_bytes() == DATA


def transfer(packed: bytes, limits: Limits) -> Transfer:
    disk = DiskArtifact(
        manifest="sha256:" + "0" * 64,
        name="disk",
        digest="sha256:" + "1" * 64,
        size=len(packed),
        compressor=Compressor.ZSTD,
        plain_digest="",
        plain_size=1 << 60,
        facts={},
    )
    options = RegistryOptions()
    choice = Choice(Arch.X86_64, None, 1 << 60, limits)
    return Transfer("a/b:c", "a/b@sha256:0", disk, choice, options, BlobSource("a/b", options), Stop())


def test_a_disk_of_a_registry_has_a_budget_whatever_size_is_announced(tmp_path: Path) -> None:
    packed = zstandard.compress(DATA)

    def read(limits: Limits) -> None:
        with Received(tmp_path / "disk", Compressor.ZSTD, iter([packed])) as reader:
            _read_plain(transfer(packed, limits), reader)

    with pytest.raises(BootimgError, match="image-over-budget"):
        read(LOW)
    read(DEFAULT)

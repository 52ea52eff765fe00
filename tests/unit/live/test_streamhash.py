"""The checksums of a rootfs image, compared with sha256sum and split."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bootimg.live.streamhash import CHUNK, StreamHash


def by_programs(data: bytes, folder: Path) -> list[str]:
    """The checksum of each chunk, by split(1) and sha256sum(1)."""
    folder.mkdir()
    (folder / "data").write_bytes(data)
    subprocess.run(["split", f"--bytes={CHUNK}", "data", "chunk."], cwd=folder, check=True)
    lines = (subprocess.check_output(["sha256sum", path]) for path in sorted(folder.glob("chunk.*")))
    return [line.decode().split()[0] for line in lines]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_each_chunk_has_its_checksum(size: int, tmp_path: Path) -> None:
    """No chunk is empty, however the bytes come."""
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]
    for step in (size or 1, 700_001):
        found = StreamHash()
        for at in range(0, size, step):
            found.update(data[at : at + step])
        assert found.text().decode() == "\n".join(
            ["stream-hash sha256 2097152", *by_programs(data, tmp_path / str(step)), ""]
        )
        if size < step:
            break

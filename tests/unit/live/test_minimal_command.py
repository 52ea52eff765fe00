"""`bootimg iso extract minimal`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bootimg.live.embed.edit import opened_iso
from bootimg.live.miniso.pack import with_miniso
from tests.support.live.liveiso import live_iso, write
from tests.support.program import program

URL = "http://example.com/rootfs.img"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    info = json.dumps(json.loads(live_iso().kargs_info), indent=2).encode()
    made = live_iso(kargs_info=info)
    path = tmp_path_factory.mktemp("iso") / "full.iso"
    return write(with_miniso(made.layout(), made.minimal_layout()), path).path


def test_it_writes_both_files(full: Path, tmp_path: Path) -> None:
    out, rootfs = tmp_path / "out.iso", tmp_path / "rootfs"
    words = ("-o", out, "--rootfs-url", URL, "--output-rootfs", rootfs, "--json")
    done = program("iso", "extract", "minimal", full, *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"files": [str(out), str(rootfs)]}
    with opened_iso(out) as iso:
        assert f"coreos.live.rootfs_url={URL}" in iso.kargs
    assert rootfs.read_bytes() == b"the rootfs" * 5000


@pytest.mark.parametrize("name", ["-", "same"])
def test_the_rootfs_needs_a_file_of_its_own(name: str, full: Path, tmp_path: Path) -> None:
    """Neither is it left out without a message, nor does the ISO replace it."""
    out = name if name == "-" else tmp_path / name
    done = program("iso", "extract", "minimal", full, "-o", out, "--output-rootfs", tmp_path / "same")
    assert (done.returncode, "command-line-invalid" in done.stderr) == (2, True)
    assert not (tmp_path / "same").exists()


def test_errors_have_their_ids(full: Path, tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    done = program("iso", "extract", "minimal", full, "-o", tmp_path / "there")
    assert (done.returncode, "output-exists" in done.stderr) == (2, True)

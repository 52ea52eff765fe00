"""Minimal ISOs: coreos-installer and we make the same of each other's data."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bootimg.disk.extents import FileSource
from bootimg.live.embed.edit import opened_iso
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.layout import IsoLayout
from bootimg.live.miniso.extract import extract_minimal
from bootimg.live.miniso.find import find_miniso
from bootimg.live.miniso.pack import with_miniso
from bootimg.live.miniso.source import MinimalIso
from bootimg.untrusted.budget import Budget
from tests.layer import tools
from tests.support.live.liveiso import live_iso, write
from tests.support.live.s390xiso import s390x_iso

pytestmark = [pytest.mark.real, pytest.mark.matrix]
URL = "http://example.com/rootfs.img"


@pytest.fixture(scope="module")
def installer() -> Path:
    """The compiled coreos-installer."""
    if reason := tools.why_not("coreos-installer"):
        pytest.skip(reason)
    return tools.program("coreos-installer")


@pytest.fixture(
    scope="module",
    params=[False, True, None],
    ids=["its-order", "sorted", "s390x"],
)
def layouts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[IsoLayout, IsoLayout]:
    """An ISO whose kargs.json has coreos-installer's order of keys, one as we write it, and one of s390x."""
    if request.param is None:
        of_s390x = s390x_iso(tmp_path_factory.mktemp("s390x"))
        return of_s390x.layout(), of_s390x.minimal_layout()
    info = json.dumps(json.loads(live_iso().kargs_info), indent=2, sort_keys=request.param).encode()
    made = live_iso(kargs_info=info)
    return made.layout(), made.minimal_layout()


def run(*words: str | Path) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("url", [None, URL])
def test_both_extract_the_same(
    url: str | None, installer: Path, layouts: tuple[IsoLayout, IsoLayout], tmp_path: Path
) -> None:
    full = write(with_miniso(*layouts), tmp_path / "full.iso").path
    options = ["--rootfs-url", url] if url else []
    theirs, rootfs = tmp_path / "theirs.iso", tmp_path / "their-rootfs"
    run(installer, "iso", "extract", "minimal-iso", full, theirs, "--output-rootfs", rootfs, *options)
    with opened_iso(full) as iso:
        extract_minimal(iso, tmp_path / "ours.iso", url, tmp_path / "our-rootfs")
    assert (tmp_path / "ours.iso").read_bytes() == theirs.read_bytes()
    assert (tmp_path / "our-rootfs").read_bytes() == rootfs.read_bytes()


def test_we_read_what_it_packs(installer: Path, layouts: tuple[IsoLayout, IsoLayout], tmp_path: Path) -> None:
    """Its table of shared files is ours, too."""
    full = write(layouts[0], tmp_path / "full.iso").path
    minimal = write(layouts[1], tmp_path / "minimal.iso").path
    run(installer, "pack", "minimal-iso", full, minimal)
    with FileSource(full) as source:
        found = find_miniso(IsoImage(source))
        again = MinimalIso(source, found, Budget())
        again.verify()
        assert again.read(0, again.size) == minimal.read_bytes()
    ours = write(with_miniso(*layouts), tmp_path / "ours.iso").path
    with FileSource(ours) as source:
        mine = find_miniso(IsoImage(source))
    assert mine.digest == found.digest
    assert sum(each.length for each in mine.shared) == sum(each.length for each in found.shared)

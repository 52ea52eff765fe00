"""What the readers of live media hold or do is charged to the image's budget, and `--limit` raises it."""

from __future__ import annotations

import lzma
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner

from bootimg.cli.main import bootimg
from bootimg.disk.extents import FileSource
from bootimg.errors import BootimgError
from bootimg.live.embed.archive import write_archive
from bootimg.live.embed.initrd import decode
from bootimg.live.iso.image import IsoImage
from bootimg.live.miniso.fileformat import Miniso, Shared
from bootimg.live.miniso.source import MinimalIso
from bootimg.live.osmet.fileformat import MappedPartition, Mapping, Osmet, encoded, read_osmet
from bootimg.sizes import MIB
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limits import Limits
from tests.support.live.liveiso import live_iso, write


def refused(work: Callable[[], object], limit: str) -> None:
    with pytest.raises(BootimgError, match="image-over-budget") as caught:
        work()
    assert f"the limit `{limit}`" in caught.value.message
    assert f"--limit {limit}=" in str(caught.value.hint)


@pytest.fixture(scope="module")
def iso(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(live_iso().layout(), tmp_path_factory.mktemp("iso") / "x.iso").path


def test_the_folders_of_an_iso(iso: Path) -> None:
    with FileSource(iso) as source:
        refused(lambda: IsoImage(source, Budget(Limits(metadata=3000))).find("images/pxeboot"), "metadata")
        refused(lambda: IsoImage(source, Budget(Limits(link_steps=5))).find("images/pxeboot"), "link-steps")
        refused(lambda: list(IsoImage(source, Budget(Limits(names=5))).walk()), "names")
        assert IsoImage(source, Budget()).find("images/pxeboot")


@pytest.mark.parametrize("verb", [["show"], ["kargs", "show"], ["extract", "minimal", "-o", "-"]])
def test_the_verbs_for_isos_take_limits(iso: Path, verb: list[str]) -> None:
    found = CliRunner().invoke(bootimg, ["iso", *verb, str(iso), "--limit", "metadata=1"])
    assert isinstance(found.exception, BootimgError)
    assert found.exception.id == "image-over-budget"


def test_the_limits_of_the_environment(iso: Path) -> None:
    found = CliRunner().invoke(bootimg, ["inspect", str(iso)], env={"BOOTIMG_LIMIT": "metadata=1"})
    assert isinstance(found.exception, BootimgError)
    assert found.exception.id == "image-over-budget"


def test_the_archive_in_an_area() -> None:
    data = write_archive({f"{each}": b"" for each in range(10)})
    refused(lambda: decode(data, Budget(Limits(names=5))), "names")
    assert len(decode(data, Budget())) == 10


def test_what_a_minimal_iso_does_not_share() -> None:
    packed = lzma.compress(bytes(9 * MIB), lzma.FORMAT_XZ, lzma.CHECK_CRC64, 0)
    found = Miniso("x", [Shared(1, 1, 2048)], bytes(32), packed)

    class Full:
        size = 1 << 20

    refused(lambda: MinimalIso(Full(), found, Budget(Limits(metadata=8 * MIB))), "metadata")  # type: ignore[arg-type]
    assert MinimalIso(Full(), found, Budget()).size >= 9 * MIB  # type: ignore[arg-type]


def test_the_mappings_of_an_osmet_file() -> None:
    mappings = [Mapping(each, 1, 0, bytes(32)) for each in range(1000)]
    data = encoded(
        Osmet(
            app_version="x",
            sector_size=512,
            description="x",
            architecture="x86_64",
            partitions=[MappedPartition(0, 1000, mappings)],
            checksum=bytes(32),
            size=1000,
        )
    )
    refused(lambda: read_osmet(BytesIO(data), Budget(Limits(metadata=100_000))), "metadata")
    assert len(read_osmet(BytesIO(data), Budget()).partitions[0].mappings) == 1000

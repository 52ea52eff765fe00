"""miniso.dat and the minimal ISO that it gives."""

from __future__ import annotations

import json
import lzma
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bootimg.disk.extents import FileSource
from bootimg.errors import BootimgError
from bootimg.live.bincode import number, text
from bootimg.live.embed.areas import KARGS
from bootimg.live.embed.coreosiso import CoreosIso
from bootimg.live.embed.edit import edit_in_place, opened_iso
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.infofiles import MINISO, MINISO_SIZE
from bootimg.live.iso.layout import IsoLayout, lay_out
from bootimg.live.iso.liveiso import ROOTFS
from bootimg.live.iso.tree import IsoFile
from bootimg.live.miniso.extract import extract_minimal, minimal_iso
from bootimg.live.miniso.fileformat import MAGIC, Miniso, Shared, decode_miniso
from bootimg.live.miniso.find import find_miniso
from bootimg.live.miniso.layoutsource import LayoutSource
from bootimg.live.miniso.pack import pack_miniso, with_miniso
from bootimg.live.miniso.source import MinimalIso
from bootimg.sysroot.entries import HostFile
from bootimg.untrusted.budget import Budget
from tests.support.live.liveiso import DEFAULT, VOLUME, live_iso, part, write

URL = "http://example.com/rootfs.img"


@pytest.fixture(scope="module")
def layouts() -> tuple[IsoLayout, IsoLayout]:
    # The form that it has in a live ISO, which leaves room for the other default.
    info = json.dumps(json.loads(live_iso().kargs_info), indent=2).encode()
    made = live_iso(kargs_info=info)
    return made.layout(), made.minimal_layout()


@pytest.fixture
def full(layouts: tuple[IsoLayout, IsoLayout], tmp_path: Path) -> Path:
    """A live ISO with the data for its minimal ISO."""
    return write(with_miniso(*layouts), tmp_path / "full.iso").path


@pytest.fixture
def minimal(layouts: tuple[IsoLayout, IsoLayout], tmp_path: Path) -> Path:
    return write(layouts[1], tmp_path / "minimal.iso").path


def test_a_layout_reads_as_it_is_written(layouts: tuple[IsoLayout, IsoLayout], minimal: Path) -> None:
    source, data = LayoutSource(layouts[1]), minimal.read_bytes()
    assert source.size == len(data)
    assert source.read(0, source.size) == data
    for at in (0, 1, 32768, 40000, source.size - 5000):
        assert source.read(at, 4097) == data[at : at + 4097]


def test_a_layout_reads_the_files_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789" * 1000)
    file = IsoFile(path="f", size=5000, content=HostFile(str(tmp_path / "file"), 3))
    layout = lay_out([file], VOLUME)
    found = LayoutSource(layout).read(layout.offsets["f"] - 1, 5002)
    assert found == b"\0" + (b"0123456789" * 1000)[3:5003] + b"\0"


def test_the_minimal_iso_comes_back(full: Path, minimal: Path) -> None:
    with FileSource(full) as source:
        miniso = find_miniso(IsoImage(source))
        found = MinimalIso(source, miniso, Budget())
        found.verify()
        assert found.read(0, found.size) == minimal.read_bytes()
    assert miniso.digest == sha256(minimal.read_bytes()).digest()
    assert len(miniso.encoded()) < MINISO_SIZE


def test_packing_finished_isos_gives_the_same(
    layouts: tuple[IsoLayout, IsoLayout], full: Path, minimal: Path, tmp_path: Path
) -> None:
    unfilled = write(layouts[0], tmp_path / "unfilled.iso").path
    with FileSource(unfilled) as first, FileSource(minimal) as second:
        change = pack_miniso(IsoImage(first), IsoImage(second))
    data = unfilled.read_bytes()
    assert len(change.data) == MINISO_SIZE
    assert data[: change.offset] + change.data + data[change.offset + MINISO_SIZE :] == full.read_bytes()


def moved(layout: IsoLayout) -> IsoLayout:
    """The files in another order, so that isolinux.bin has another boot information table."""
    files = [file for path, file in sorted(layout.files.items()) if path != "isolinux/boot.cat"]
    made = live_iso()
    return lay_out(files, VOLUME, made._boot())


def test_files_at_other_places_and_sectors_that_differ(tmp_path: Path) -> None:
    """Only the first sector of isolinux.bin differs; all other sectors are shared."""
    made = live_iso()
    layout = moved(made.layout())
    full = write(with_miniso(layout, made.minimal_layout()), tmp_path / "full.iso").path
    with FileSource(full) as source:
        miniso = find_miniso(IsoImage(source))
        found = MinimalIso(source, miniso, Budget())
        found.verify()
    at = made.minimal_layout().offsets["isolinux/isolinux.bin"]
    assert at not in {each.start for each in miniso.shared}
    assert at + 2048 in {each.start for each in miniso.shared}


def test_it_boots_with_other_arguments(full: Path, tmp_path: Path) -> None:
    with opened_iso(full) as iso:
        extract_minimal(iso, tmp_path / "out.iso", URL, tmp_path / "rootfs")
    kept = DEFAULT.replace(f"coreos.liveiso={VOLUME.id} ", "")
    with opened_iso(tmp_path / "out.iso") as iso:
        assert iso.kargs == f"{kept} coreos.live.rootfs_url={URL}"
        assert iso.default_kargs == kept
        assert iso.image.find(ROOTFS) is None
        record = iso.image.find(KARGS)
        assert record is not None
        assert json.loads(iso.image.read(record.offset, record.length))["default"] == kept
    assert (tmp_path / "rootfs").read_bytes() == b"the rootfs" * 5000


def test_without_a_url_only_one_argument_is_removed(full: Path) -> None:
    with opened_iso(full) as iso:
        found = CoreosIso(minimal_iso(iso))
        assert found.kargs == found.default_kargs == DEFAULT.replace(f"coreos.liveiso={VOLUME.id} ", "")


def refused(full: Path, url: str | None = None) -> BootimgError:
    with opened_iso(full) as iso, pytest.raises(BootimgError) as caught:
        minimal_iso(iso, url)
    return caught.value


def test_an_iso_with_changes_is_refused(full: Path) -> None:
    edit_in_place(full, lambda iso: iso.with_kargs(f"{DEFAULT} more"))
    assert refused(full).id == "iso-customized"
    edit_in_place(full, lambda iso: iso.with_kargs(DEFAULT))
    edit_in_place(full, lambda iso: iso.with_files({"config.ign": b"{}"}))
    assert refused(full).id == "iso-customized"


def test_a_url_with_a_space_is_refused(full: Path) -> None:
    assert refused(full, "http://example.com/a b").id == "kernel-argument-invalid"


def test_an_iso_without_the_data_is_refused(
    layouts: tuple[IsoLayout, IsoLayout], minimal: Path, tmp_path: Path
) -> None:
    unfilled = write(layouts[0], tmp_path / "unfilled.iso").path
    assert refused(unfilled).id == refused(minimal).id == "iso-minimal-unsupported"


def changed(full: Path, path: str, at: int, data: bytes) -> Path:
    with FileSource(full) as source:
        record = IsoImage(source).find(path)
    assert record is not None
    with full.open("r+b") as file:
        file.seek(record.offset + at)
        file.write(data)
    return full


def test_an_iso_whose_kernel_was_changed_is_refused(full: Path) -> None:
    assert refused(changed(full, "images/pxeboot/vmlinuz", 0, b"!")).id == "miniso-iso-differs"


@pytest.mark.parametrize("at", [0, 30, 200])
def test_damaged_data_is_refused(full: Path, at: int) -> None:
    assert refused(changed(full, MINISO, at, b"\xff\xff")).id == "miniso-damaged"


def test_an_existing_file_stays(full: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"mine")
    with opened_iso(full) as iso, pytest.raises(BootimgError) as caught:
        extract_minimal(iso, tmp_path / "other", None, tmp_path / "out")
    assert caught.value.id == "output-exists"
    assert not (tmp_path / "other").exists()


def test_other_versions_are_refused() -> None:
    with pytest.raises(BootimgError) as caught:
        decode_miniso(MAGIC + number(2) + text("99.0.0"))
    assert caught.value.id == "miniso-version-unsupported"


@pytest.mark.parametrize(
    "shared", [[], [Shared(2, 2, 2049), Shared(3, 9, 1)], [Shared(5, 2, 1), Shared(3, 9, 1)]]
)
def test_shared_files_that_overlap_are_refused(shared: list[Shared]) -> None:
    with pytest.raises(BootimgError) as caught:
        decode_miniso(Miniso("x", shared, bytes(32), b"").encoded())
    assert caught.value.id == "miniso-damaged"


def test_more_than_the_iso_has_is_refused(full: Path) -> None:
    with FileSource(full) as source, pytest.raises(BootimgError, match="shares more") as caught:
        MinimalIso(
            source,
            Miniso(
                "x", [Shared(0, 0, source.size), Shared(source.size, 0, 1)], bytes(32), lzma.compress(b"")
            ),
            Budget(),
        )
    assert caught.value.id == "miniso-damaged"


def test_files_that_only_the_minimal_iso_has_are_refused() -> None:
    made = live_iso()
    more = replace(made, kernel=part(b"another kernel"))
    with pytest.raises(BootimgError, match="VMLINUZ") as caught:
        with_miniso(made.layout(), more.minimal_layout())
    assert caught.value.id == "miniso-files-differ"


def test_what_has_no_room_is_refused() -> None:
    """A file differs, and does not compress."""
    noise = b"".join(sha256(bytes((high, low))).digest() for high in range(4) for low in range(256))
    made, more = live_iso(kernel=part(bytes(len(noise)))), live_iso(kernel=part(noise))
    with pytest.raises(BootimgError) as caught:
        with_miniso(made.layout(), more.minimal_layout())
    assert caught.value.id == "miniso-too-large"


_contents = st.lists(st.binary(min_size=1, max_size=40).map(lambda data: data * 200), min_size=1, max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8)
@given(contents=_contents, more=_contents, order=st.randoms(use_true_random=False))
def test_any_two_isos(contents: list[bytes], more: list[bytes], order: object, tmp_path: Path) -> None:
    """Files in any order and of any size, hard links, and files that only the full ISO has."""
    files = [IsoFile.of(f"f{index}", data) for index, data in enumerate(contents)]
    others = [*files, IsoFile.of(MINISO, bytes(MINISO_SIZE))]
    others += [IsoFile.of(f"o{index}", data) for index, data in enumerate(more)]
    order.shuffle(others)  # type: ignore[attr-defined]
    small, large = lay_out(files, VOLUME), lay_out(others, VOLUME)
    filled = with_miniso(large, small)
    source = LayoutSource(filled)
    found = MinimalIso(source, find_miniso(IsoImage(source)), Budget())
    found.verify()
    assert found.read(0, found.size) == LayoutSource(small).read(0, found.size)

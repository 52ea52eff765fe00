"""Where the areas of an ISO are, by its files and by the headers of old ISOs, and what may not be there."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bootimg.disk.extents import FileSource
from bootimg.errors import BootimgError
from bootimg.live.embed.coreosiso import CoreosIso
from bootimg.live.embed.edit import edit_in_place, opened_iso
from bootimg.live.embed.places import Area
from bootimg.live.iso.descriptors import Volume
from bootimg.live.iso.layout import lay_out
from bootimg.live.iso.tree import IsoFile
from tests.support.live.liveiso import (
    AREA,
    DEFAULT,
    GRUB,
    ISOLINUX,
    VOLUME,
    kargs_info,
    live_iso,
    write,
    written_iso,
)

LEGACY_AT = 32768 - 24 - 72
TEMPLATE = {"EFI/redhat/grub.cfg": GRUB, "isolinux/isolinux.cfg": ISOLINUX}
KARGS = json.loads(kargs_info(TEMPLATE))


def with_info(path: Path, **files: bytes) -> Path:
    """An ISO with these files in its folder coreos, and the files that they are about."""
    content = TEMPLATE | {"images/ignition.img": bytes(262144)}
    content |= {f"coreos/{name}.json": data for name, data in files.items()}
    return write(lay_out([IsoFile.of(name, data) for name, data in content.items()], VOLUME), path).path


def error_of(path: Path) -> str:
    with pytest.raises(BootimgError) as caught, opened_iso(path) as iso:
        iso.kargs  # noqa: B018
    return caught.value.id


def test_our_iso_has_its_areas_where_the_files_are(tmp_path: Path) -> None:
    layout = live_iso().layout()
    iso = write(layout, tmp_path / "x.iso").path
    with opened_iso(iso) as found:
        assert found.initrd_area == Area(layout.offsets["images/ignition.img"], 262144)
        assert found.kargs_places is not None
        assert [place.area for place in found.kargs_places.places] == [
            Area(layout.offsets["EFI/redhat/grub.cfg"] + GRUB.index(AREA), len(AREA)),
            Area(layout.offsets["isolinux/isolinux.cfg"] + ISOLINUX.index(AREA), len(AREA)),
        ]
        assert found.kargs == found.default_kargs == DEFAULT
        assert found.files == {}
        assert found.has_network


def test_an_iso_of_a_volume_that_is_not_coreos_is_refused(tmp_path: Path) -> None:
    volume = Volume(id="debian", set_id="debian", epoch=0)
    iso = write(lay_out([IsoFile.of("readme", b"")], volume), tmp_path / "x.iso").path
    assert error_of(iso) == "iso-not-coreos"


def test_an_old_iso_has_its_ignition_area_and_no_others(tmp_path: Path) -> None:
    iso = with_info(tmp_path / "x.iso")
    assert error_of(iso) == "iso-area-missing"
    with opened_iso(iso) as found:
        assert found.initrd_area.length == 262144
        assert not found.has_network


def legacy(path: Path, offsets: list[int] | None = None, length: int = len(AREA)) -> Path:
    """An ISO with a header for kernel arguments at the end of the system area."""
    files = [IsoFile.of(name, data) for name, data in TEMPLATE.items()]
    files += [IsoFile.of("images/ignition.img", bytes(262144)), IsoFile.of("zipl.prm", AREA)]
    layout = lay_out(files, VOLUME)
    if offsets is None:
        offsets = [layout.offsets[name] + data.index(AREA) for name, data in TEMPLATE.items()]
    default = layout.offsets["zipl.prm"]
    header = struct.pack("<8sQQ6Q", b"coreKarg", length, default, *offsets, *[0] * (6 - len(offsets)))
    head = layout.head[:LEGACY_AT] + header + layout.head[LEGACY_AT + 72 :]
    return write(replace(layout, head=head), path).path


def test_the_header_of_an_old_iso_says_where_kernel_arguments_are(tmp_path: Path) -> None:
    iso = legacy(tmp_path / "x.iso")
    with opened_iso(iso) as found:
        assert found.kargs == found.default_kargs == DEFAULT
    edit_in_place(iso, lambda found: found.with_kargs("a b"))
    with opened_iso(iso) as found:
        assert (found.kargs, found.default_kargs) == ("a b", DEFAULT)
    assert iso.read_bytes().count(b"a b\n" + b"#" * (len(AREA) - 4)) == 2


@pytest.mark.parametrize(
    ("offsets", "length"), [([], len(AREA)), ([1 << 40], len(AREA)), (None, 0), (None, 2049), (None, 1 << 63)]
)
def test_a_header_that_cannot_be_true_is_refused(
    offsets: list[int] | None, length: int, tmp_path: Path
) -> None:
    assert error_of(legacy(tmp_path / "x.iso", offsets, length)) == "iso-area-invalid"


def changed(**fields: Any) -> bytes:  # noqa: ANN401
    return json.dumps(KARGS | fields).encode()


def file_with(**fields: Any) -> bytes:  # noqa: ANN401
    return changed(files=[KARGS["files"][0] | fields])


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{}", b"{" * 100, b" " * 70000, changed(size=0), changed(size=2049), changed(size="1"),
        changed(size=1 << 70), changed(default="x" * 2000), changed(default=1), changed(files=[]),
        changed(files=KARGS["files"] * 40), changed(files=KARGS["files"][:1] * 2),
        file_with(path="EFI/none"), file_with(path="EFI"), file_with(path=""),
        file_with(path="../../etc/passwd"),
        file_with(offset=-1), file_with(offset=1 << 62), file_with(offset=len(GRUB)),
        file_with(pad="##"), file_with(pad=""), file_with(end="ü"), file_with(end=1),
    ],
)  # fmt: skip
def test_a_kargs_json_that_cannot_be_true_is_refused(data: bytes, tmp_path: Path) -> None:
    assert error_of(with_info(tmp_path / "x.iso", kargs=data)) == "iso-area-invalid"


@pytest.mark.parametrize(
    "info",
    [
        {}, {"file": 1}, {"file": "images/none.img"}, {"file": "images"},
        {"file": "images/ignition.img", "offset": -1},
        {"file": "images/ignition.img", "offset": 262144}, {"file": "images/ignition.img", "length": 0},
        {"file": "images/ignition.img", "offset": 1, "length": 262144},
        {"file": "images/ignition.img", "length": 1 << 62},
        {"file": "isolinux/isolinux.cfg"},
    ],
)  # fmt: skip
def test_an_igninfo_json_that_cannot_be_true_is_refused(info: dict[str, Any], tmp_path: Path) -> None:
    iso = with_info(tmp_path / "x.iso", igninfo=json.dumps(info).encode(), kargs=changed())
    assert error_of(iso) == "iso-area-invalid"


def test_an_area_may_be_a_part_of_a_file(tmp_path: Path) -> None:
    info = {"file": "images/ignition.img", "offset": 4096, "length": 8192}
    iso = with_info(tmp_path / "x.iso", igninfo=json.dumps(info).encode())
    edit_in_place(iso, lambda found: found.with_files({"config.ign": b"{}"}))
    with opened_iso(iso) as found:
        assert found.initrd_area.length == 8192
        assert found.files == {"config.ign": b"{}"}


def test_pad_and_end_are_the_isos_own(tmp_path: Path) -> None:
    files = [each | {"pad": "\0", "end": "\0"} for each in KARGS["files"]]
    iso = with_info(tmp_path / "x.iso", kargs=changed(files=files))
    edit_in_place(iso, lambda found: found.with_kargs(" one two "))
    assert iso.read_bytes().count(b"one two".ljust(len(AREA), b"\0")) == 2
    with opened_iso(iso) as found:
        assert found.kargs == "one two"


@pytest.mark.parametrize("data", [b"x" * len(AREA), b"\xff" * 10])
def test_areas_that_differ_or_are_no_text_are_refused(data: bytes, tmp_path: Path) -> None:
    iso = written_iso(tmp_path / "x.iso")
    content = bytearray(iso.read_bytes())
    at = content.index(AREA)
    content[at : at + len(data)] = data
    iso.write_bytes(content)
    assert error_of(iso) == "iso-area-invalid"


Edit = Callable[[CoreosIso], Any]


@pytest.mark.parametrize(
    "edit",
    [
        lambda iso: iso.with_kargs("x" * len(AREA)),
        lambda iso: iso.with_files({"config.ign": Random(1).randbytes(262144)}),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(edit: Edit, tmp_path: Path) -> None:
    iso = written_iso(tmp_path / "x.iso")
    before = iso.read_bytes()
    with pytest.raises(BootimgError) as caught:
        edit_in_place(iso, edit)
    assert caught.value.id == "iso-area-too-small"
    assert iso.read_bytes() == before


def test_arguments_of_the_areas_length_less_one_fit(tmp_path: Path) -> None:
    iso = written_iso(tmp_path / "x.iso")
    text = "x" * (len(AREA) - 1)
    edit_in_place(iso, lambda found: found.with_kargs(text))
    with FileSource(iso) as source:
        assert CoreosIso(source).kargs == text


def test_reset_gives_the_first_bytes_back_whatever_is_in_the_areas(tmp_path: Path) -> None:
    iso = written_iso(tmp_path / "x.iso")
    before = iso.read_bytes()
    with opened_iso(iso) as found:
        area = found.initrd_area
    damaged = bytearray(before)
    damaged[area.offset : area.offset + 4] = b"what"
    at = damaged.index(AREA)
    damaged[at : at + 4] = b"what"
    iso.write_bytes(damaged)
    assert error_of(iso) == "iso-area-invalid"
    edit_in_place(iso, lambda found: found.reset())
    assert iso.read_bytes() == before

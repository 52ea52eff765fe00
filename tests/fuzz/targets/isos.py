"""ISO images: descriptors, folders and boot catalogue; what says where the areas are; what is in them."""

from __future__ import annotations

import gzip
import json
import lzma
import struct
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import zstandard

from bootimg.arch import Arch
from bootimg.checks.livemedia.isoboot import boot_findings
from bootimg.checks.rules import Rule
from bootimg.disk.extents import FileSource
from bootimg.live.embed import areas
from bootimg.live.embed.archive import write_archive
from bootimg.live.embed.coreosiso import CoreosIso
from bootimg.live.embed.edit import stream_changed
from bootimg.live.embed.initrd import decode, encode
from bootimg.live.embed.network import keyfiles
from bootimg.live.embed.places import KargsPlaces
from bootimg.live.iso.descriptors import Volume
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.layout import IsoLayout, lay_out
from bootimg.live.iso.sectors import SECTOR, SYSTEM_AREA
from bootimg.live.iso.tree import IsoFile
from bootimg.untrusted.budget import Budget
from tests.fuzz.target import refusals, target
from tests.support.live.liveiso import GRUB, ISOLINUX, kargs_info, live_iso, write

TEMPLATE = {"EFI/redhat/grub.cfg": GRUB, "isolinux/isolinux.cfg": ISOLINUX}
LEGACY_AT = SYSTEM_AREA - 24 - 72


@cache
def _iso() -> tuple[IsoLayout, bytes]:
    with TemporaryDirectory() as folder:
        layout = live_iso().layout()
        return layout, write(layout, Path(folder) / "x.iso").path.read_bytes()


@target(lambda: [_iso()[0].head[SYSTEM_AREA:]], words=("CD001",), runs=1500, longest=40 * SECTOR)
def iso_folders(data: bytes, folder: Path) -> None:
    """All between the system area and the first file."""
    layout, whole = _iso()
    iso = folder / "x.iso"
    iso.write_bytes(whole)
    with iso.open("r+b") as file:
        file.seek(SYSTEM_AREA)
        file.write(data[: len(layout.head) - SYSTEM_AREA])
    with FileSource(iso) as source, refusals():
        image = IsoImage(source)
        with refusals():
            image.boot_entries()
        with refusals():
            found = list(image.walk())
            assert all(each.offset + each.length <= source.size for each in found)
        with refusals():
            image.find("IMAGES/PXEBOOT/ROOTFS.IMG")


@target(lambda: [_iso()[0].head[:SYSTEM_AREA]], words=("EFI PART",), runs=1500, longest=SYSTEM_AREA)
def iso_system_area(data: bytes, folder: Path) -> None:
    """The MBR and the GPT: what is wrong with them is a finding."""
    iso = folder / "x.iso"
    iso.write_bytes(data.ljust(SYSTEM_AREA, b"\0")[:SYSTEM_AREA] + _iso()[1][SYSTEM_AREA:])
    with FileSource(iso) as source, refusals():
        assert {each.rule for each in boot_findings(IsoImage(source), Arch.X86_64)} <= {Rule.ISO_HYBRID}


def _with_file(name: str, data: bytes, folder: Path) -> Path:
    files = TEMPLATE | {
        "images/ignition.img": bytes(8192),
        "coreos/kargs.json": kargs_info(TEMPLATE),
        name: data,
    }
    layout = lay_out([IsoFile.of(*each) for each in files.items()], Volume(id="x", set_id="x", epoch=0))
    return write(layout, folder / "x.iso").path


def _changes(iso: Path, folder: Path) -> None:
    """Every change of an ISO keeps its size."""
    with FileSource(iso) as source, refusals():
        found = CoreosIso(source)
        for make in (found.reset, lambda: found.with_kargs("a b")):
            with refusals():
                changed = folder / "changed.iso"
                with changed.open("wb") as file:
                    stream_changed(iso, make(), file)
                assert changed.stat().st_size == source.size


def _igninfos() -> Iterator[bytes]:
    yield b'{"file": "images/ignition.img"}'
    yield b'{"file": "images/ignition.img", "offset": 4096, "length": 100}'


@target(_igninfos, words=('"offset"', '"length"', "isolinux/isolinux.cfg"), runs=500, longest=512)
def iso_igninfo(data: bytes, folder: Path) -> None:
    """igninfo.json."""
    _changes(_with_file("coreos/igninfo.json", data, folder), folder)


@target(
    lambda: [kargs_info(TEMPLATE)], words=('"pad"', '"end"', '"offset"', '"size"'), runs=500, longest=1024
)
def iso_kargs_info(data: bytes, folder: Path) -> None:
    """kargs.json."""
    _changes(_with_file("coreos/kargs.json", data, folder), folder)


@target(lambda: [b'{"live-initrd-network": true}', json.dumps({"x": {}}).encode()], runs=500, longest=512)
def iso_features(data: bytes, folder: Path) -> None:
    """features.json."""
    with FileSource(_with_file("coreos/features.json", data, folder)) as source, refusals():
        areas.has_feature(IsoImage(source), "live-initrd-network")


def _headers() -> Iterator[bytes]:
    yield struct.pack("<8sQQ6Q", b"coreKarg", 100, 40000, 40000, 50000, 0, 0, 0, 0)


@target(_headers, words=("coreKarg",), runs=500, longest=72)
def iso_old_header(data: bytes, folder: Path) -> None:
    """The header for kernel arguments in the system area of old ISOs."""
    files = [IsoFile.of(*each) for each in (TEMPLATE | {"images/ignition.img": bytes(8192)}).items()]
    iso = write(lay_out(files, Volume(id="x", set_id="x", epoch=0)), folder / "x.iso").path
    with iso.open("r+b") as file:
        file.seek(LEGACY_AT)
        file.write(data[:72])
    with FileSource(iso) as source, refusals():
        found = areas.kargs_places(IsoImage(source))
        assert found is None or _inside(found, source.size)


def _inside(places: KargsPlaces, size: int) -> bool:
    return all(each.area.offset + each.area.length <= size for each in places.places)


def _archives() -> Iterator[bytes]:
    plain = write_archive({"config.ign": b"{}", "etc/coreos-firstboot-network/a.nmconnection": b"[x]"})
    packs: list[Callable[[bytes], bytes]] = [
        bytes,
        gzip.compress,
        lzma.compress,
        zstandard.ZstdCompressor().compress,
    ]
    yield from (pack(plain) for pack in packs)
    yield plain + bytes(4) + encode({"config.ign": b"2"})


@target(_archives, words=("070701", "TRAILER!!!"), runs=1500, longest=4096)
def iso_initrd(data: bytes, folder: Path) -> None:
    """What is in the area for the Ignition config."""
    with refusals():
        decode(data, Budget())


@target(lambda: [b"a.nmconnection", b"../x", b"a/b"], runs=300, longest=100)
def iso_keyfile_names(data: bytes, folder: Path) -> None:
    """Names of keyfiles, which become names of files."""
    name = data.decode("latin-1")
    archive = write_archive({f"etc/coreos-firstboot-network/{name}": b"x"})
    iso = _with_file("images/ignition.img", archive.ljust(8192, b"\0"), folder)
    with FileSource(iso) as source, refusals():
        for name in keyfiles(CoreosIso(source)):
            assert (folder / name).parent == folder

"""Live media as bootimg makes them break no rule; each thing that is wrong with them is found, and named."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from bootimg.arch import Arch
from bootimg.builds.find import Build
from bootimg.cache import Cache
from bootimg.checks.livemedia.live import iso_findings, pxe_findings
from bootimg.checks.livemedia.liveexpected import expected_of
from bootimg.checks.purity import Purity
from bootimg.checks.rules import Rule, Severity
from bootimg.checks.verifier import Verifier
from bootimg.events import Events
from bootimg.layer.fetching.fetch import RegistryOptions
from bootimg.live.embed.coreosiso import CoreosIso
from bootimg.live.embed.edit import edit_in_place, opened_iso
from bootimg.live.embed.ignition import embed_ignition
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.infofiles import MINISO
from bootimg.live.iso.liveiso import INITRD, ROOTFS
from bootimg.live.iso.sectors import SECTOR
from bootimg.live.miniso.extract import extract_minimal
from bootimg.live.streamhash import CHUNK
from bootimg.orchestrator.inspection import inspect_build
from tests.support.live.livefiles import (
    BUILD,
    METAL,
    TEMPLATE,
    archive,
    initramfs,
    osmet,
    rootfs_image,
    squashfs,
    whole_iso,
    written,
    written_whole,
)
from tests.support.live.liveiso import DEFAULT, VOLUME, kargs_info, part
from tests.support.live.livesystem import good_iso, good_rootfs

Patch = Callable[[IsoImage, bytearray], None]
CONFIG = b'{"ignition": {"version": "3.4.0"}}'


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_whole(whole_iso(), tmp_path_factory.mktemp("iso") / "live.iso")


def rules(iso: Path) -> list[str]:
    return sorted({each.rule.value for each in iso_findings(iso)})


def patched(good: Path, folder: Path, patch: Patch) -> Path:
    data = bytearray(good.read_bytes())
    with opened_iso(good) as iso:
        patch(iso.image, data)
    changed = folder / "changed.iso"
    changed.write_bytes(data)
    return changed


def place(image: IsoImage, path: str) -> int:
    record = image.find(path)
    assert record is not None
    return record.offset


def at(path: str, inside: int, new: bytes) -> Patch:
    """New bytes inside a file."""

    def patch(image: IsoImage, data: bytearray) -> None:
        start = place(image, path) + inside
        data[start : start + len(new)] = new

    return patch


def of_iso(start: int, new: bytes) -> Patch:
    """New bytes at an offset of the ISO."""

    def patch(_: IsoImage, data: bytearray) -> None:
        data[start : start + len(new)] = new

    return patch


def other_area(_: IsoImage, data: bytearray) -> None:
    """The first of the areas gets another argument."""
    start = data.index(DEFAULT.encode() + b"\n#")
    data[start : start + 11] = b"mitigation_"


def shorter_padding(_: IsoImage, data: bytearray) -> None:
    start = data.index(b"# COREOS_KARG_EMBED_AREA")
    data[start : start + 2] = b"$ "


def test_a_good_iso(good: Path) -> None:
    assert iso_findings(good) == []


@pytest.mark.parametrize(
    ("patch", "broken"),
    [
        (of_iso(16 * SECTOR + 40, b"rhcos-9.6.20261101-1"), ["iso-label", "iso-minimal", "iso-volume-id"]),
        (of_iso(16 * SECTOR + 156 + 2, struct.pack("<I", 1 << 28)), ["iso-damaged"]),
        (of_iso(16 * SECTOR + 1, b"CD002"), ["iso-damaged"]),
        (of_iso(510, bytes(2)), ["iso-hybrid", "iso-minimal"]),
        (of_iso(432, b"\1"), ["iso-hybrid", "iso-minimal"]),
        (of_iso(446, b"\0"), ["iso-hybrid", "iso-minimal"]),
        (of_iso(462 + 8, b"\1"), ["iso-hybrid", "iso-minimal"]),
        (of_iso(512 + 72, b"\xff"), ["iso-hybrid", "iso-minimal"]),
        (at("isolinux/boot.cat", 0, b"\xff"), ["iso-boot", "iso-minimal"]),
        (at("isolinux/boot.cat", 32 + 8, b"\xff"), ["iso-boot", "iso-minimal"]),
        (at("isolinux/boot.cat", 96 + 8, b"\xff"), ["iso-boot", "iso-minimal"]),
        (at("isolinux/boot.cat", 32 + 6, b"\5"), ["iso-boot", "iso-minimal"]),
        (at("isolinux/isolinux.bin", 2000, b"\xff"), ["iso-boot", "iso-minimal"]),
        (at("images/ignition.img", 0, b"x"), ["iso-config"]),
        (at(MINISO, 200, b"\xff\xff\xff"), ["iso-minimal"]),
        (at("coreos/features.jso", 2, b"I"), ["iso-minimal", "live-features"]),
        (at(INITRD, 0, b"x"), ["iso-minimal", "live-initramfs"]),
        (at(ROOTFS, 0, b"x"), ["live-rootfs", "live-stream-hash"]),
        (at(ROOTFS, 124, b"x"), ["live-rootfs", "live-stream-hash"]),
        (at(ROOTFS, 3 << 20 >> 1, b"x"), ["live-stream-hash"]),
        (other_area, ["iso-area", "iso-minimal"]),
        (shorter_padding, ["iso-area", "iso-minimal"]),
    ],
)
def test_changed_bytes(good: Path, tmp_path: Path, patch: Patch, broken: Sequence[str]) -> None:
    found = set(rules(patched(good, tmp_path, patch)))
    # A change of what the minimal ISO has too may make that impossible as well.
    assert found - {"iso-minimal"} == {*broken} - {"iso-minimal"}
    assert found <= {*broken}


@pytest.mark.parametrize("data", [b"", b"text", bytes(1 << 17)])
def test_what_is_no_iso(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.iso").write_bytes(data)
    assert rules(tmp_path / "x.iso") == ["iso-damaged"]


def test_an_iso_that_is_cut_off(good: Path, tmp_path: Path) -> None:
    data = good.read_bytes()
    (tmp_path / "x.iso").write_bytes(data[: len(data) // 2])
    assert rules(tmp_path / "x.iso") == ["iso-damaged"]


def with_rootfs(rootfs: bytes, want: bytes | None = None) -> dict[str, Any]:
    """A rootfs image, and the initramfs that expects it or another."""
    return {"rootfs": part(rootfs), "initrd": part(initramfs(rootfs if want is None else want))}


def other_version() -> dict[str, Any]:
    return with_rootfs(rootfs_image(version="9.6.20261101-1"))


def info(**changes: object) -> dict[str, Any]:
    """kargs.json with other members."""
    return {"kargs_info": json.dumps({**json.loads(kargs_info(TEMPLATE)), **changes}).encode()}


def moved_areas() -> dict[str, Any]:
    files = json.loads(kargs_info(TEMPLATE))["files"]
    return info(files=[{**each, "offset": each["offset"] - 1} for each in files])


def osmet_of(data: bytes) -> dict[str, Any]:
    return with_rootfs(rootfs_image(files={"rhcos-512.osmet": data}))


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        (lambda: with_rootfs(rootfs_image(version=None)), ["live-version"]),
        (other_version, ["live-version"]),
        (lambda: with_rootfs(rootfs_image(), b"another image"), ["live-stream-hash"]),
        (lambda: with_rootfs(rootfs_image(filesystem=squashfs() + bytes(5 << 20))), []),
        (lambda: with_rootfs(rootfs_image(name="root.erofs!")), ["live-rootfs"]),
        (lambda: with_rootfs(rootfs_image(name="a-longer-name.squashfs")), ["live-rootfs"]),
        (lambda: with_rootfs(rootfs_image(filesystem=squashfs()[:5000])), ["live-rootfs"]),
        (lambda: with_rootfs(rootfs_image(files={})), []),
        (lambda: osmet_of(osmet(512, METAL[512])[:30]), ["live-osmet"]),
        (lambda: osmet_of(b"OSMET\0\0\0\2"), ["live-osmet"]),
        (lambda: {"initrd": part(archive({"init": b"x"}))}, ["live-stream-hash", "live-version"]),
        (lambda: {"initrd": part(initramfs(rootfs_image(), features=b"{}"))}, ["live-features"]),
        (lambda: info(size=4096), ["iso-area"]),
        (lambda: info(files=[{"path": "none", "offset": 0}]), ["iso-area"]),
        (lambda: info(default="a b"), ["iso-kargs-changed"]),
        (moved_areas, ["iso-area"]),
        (lambda: {"volume": replace(VOLUME, id="rhcos-9.6")}, ["iso-label", "iso-volume-id"]),
        (lambda: {"efi_image": b""}, ["iso-hybrid"]),
    ],
)
def test_other_parts(tmp_path: Path, changes: Callable[[], dict[str, Any]], broken: Sequence[str]) -> None:
    assert rules(written(whole_iso(**changes()), tmp_path / "x.iso")) == broken


@pytest.mark.parametrize(
    ("want", "said"),
    [
        (b"", "the first line"),
        (b"stream-hash sha512 2097152\n", "the first line"),
        (b"stream-hash sha256 99999999999\n", "the first line"),
        (b"stream-hash sha256 2097152\nxyz\n", "is not a SHA-256"),
        (b"stream-hash sha256 2097152\n" + b"0" * 64, "1 checksums for 2 chunks"),
    ],
)
def test_checksums_that_cannot_be_used(tmp_path: Path, want: bytes, said: str) -> None:
    files = {"etc/coreos-live-initramfs": f"{BUILD}\n".encode(), "etc/coreos-live-want-rootfs": want}
    [found] = iso_findings(written(whole_iso(initrd=part(archive(files))), tmp_path / "x.iso"))
    assert found.rule is Rule.LIVE_STREAM_HASH
    assert said in found.evidence


def test_other_sizes_of_chunks(tmp_path: Path) -> None:
    rootfs, chunk = rootfs_image(), 1 << 20
    digests = [sha256(rootfs[start : start + chunk]).hexdigest() for start in range(0, len(rootfs), chunk)]
    want = "\n".join([f"stream-hash sha256 {chunk}", *digests]).encode()
    files = {"etc/coreos-live-initramfs": f"{BUILD}\n".encode(), "etc/coreos-live-want-rootfs": want}
    assert iso_findings(written(whole_iso(initrd=part(archive(files))), tmp_path / "x.iso")) == []


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (lambda iso: embed_ignition(iso, CONFIG, force=False), []),
        (lambda iso: embed_ignition(iso, b"ignition: {}", force=False), ["iso-config"]),
        (lambda iso: iso.with_kargs(f"{iso.kargs} console=ttyS0"), ["iso-kargs-changed"]),
        (lambda iso: iso.with_kargs("quiet"), ["iso-kargs-changed", "iso-label"]),
    ],
)
def test_an_iso_that_was_changed(
    good: Path, tmp_path: Path, change: Callable[[CoreosIso], Any], broken: Sequence[str]
) -> None:
    iso = tmp_path / "mine.iso"
    iso.write_bytes(good.read_bytes())
    edit_in_place(iso, change)
    assert rules(iso) == broken
    edit_in_place(iso, lambda found: found.reset())
    assert iso_findings(iso) == []


def test_changed_kernel_arguments_are_no_error(good: Path, tmp_path: Path) -> None:
    iso = tmp_path / "mine.iso"
    iso.write_bytes(good.read_bytes())
    edit_in_place(iso, lambda found: found.with_kargs(f"{found.kargs} quiet"))
    [found] = iso_findings(iso)
    assert found.severity is Severity.WARNING


def test_a_minimal_iso_has_no_rootfs_and_no_label(tmp_path: Path) -> None:
    # Its kargs.json has to have room for another default.
    spaced = json.dumps(json.loads(kargs_info(TEMPLATE)), indent=2).encode()
    full = written_whole(whole_iso(kargs_info=spaced), tmp_path / "full.iso")
    with opened_iso(full) as iso:
        extract_minimal(iso, tmp_path / "minimal.iso")
    assert iso_findings(tmp_path / "minimal.iso") == []
    edit_in_place(tmp_path / "minimal.iso", lambda found: found.with_kargs(DEFAULT))
    assert rules(tmp_path / "minimal.iso") == ["iso-kargs-changed", "iso-label"]


def build_of(
    iso: Path, *, id: str = BUILD, name: str = "rhcos", rootfs: bytes | None = None, **digests: str
) -> Build:
    """A build with the ISO and its files for PXE; `digests` are other SHA-256 by key with underscores."""
    rootfs = rootfs or rootfs_image()
    pxe = {"live-kernel": b"the kernel", "live-initramfs": initramfs(rootfs), "live-rootfs": rootfs}
    files = {"live-iso": iso.read_bytes(), **pxe}
    images: dict[str, dict[str, Any]] = {}
    for key, data in files.items():
        (iso.parent / key).write_bytes(data)
        images[key] = {"path": key, "sha256": sha256(data).hexdigest(), "size": len(data)}
    images["metal"] = {"path": "x-metal.x86_64.raw", "sha256": METAL[512]}
    images["metal4k"] = {"path": "x.raw.gz", "sha256": "0" * 64, "uncompressed-sha256": METAL[4096]}
    for key, digest in digests.items():
        images[key.replace("_", "-")]["sha256"] = digest
    meta = {"buildid": id, "name": name, "images": images}
    return Build(id, Arch.X86_64, iso.parent, meta)


def own(good: Path, folder: Path) -> Path:
    (folder / "own.iso").write_bytes(good.read_bytes())
    return folder / "own.iso"


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({}, []),
        ({"id": "9.6.20261101-2"}, ["iso-volume-id", "live-version"]),
        ({"name": "scos"}, ["iso-volume-id"]),
        ({"live_kernel": "0" * 64}, ["iso-files"]),
        ({"live_initramfs": "0" * 64}, ["iso-files"]),
        ({"live_rootfs": "0" * 64}, ["iso-files"]),
        ({"metal": "0" * 64}, ["live-osmet"]),
    ],
)
def test_the_iso_of_a_build(
    good: Path, tmp_path: Path, changes: dict[str, Any], broken: Sequence[str]
) -> None:
    iso = own(good, tmp_path)
    found = iso_findings(iso, expected_of(build_of(iso, **changes)))
    assert sorted({each.rule.value for each in found}) == broken


def verifier(folder: Path) -> Verifier:
    return Verifier(Cache(folder / "cache"), Events(), RegistryOptions(), Purity.ERROR, ())


def test_deep_a_build_s_live_media_are_opened(tmp_path: Path) -> None:
    rootfs = good_rootfs(tmp_path / "parts")
    build = build_of(written(good_iso(rootfs), tmp_path / "own.iso"), rootfs=rootfs)
    assert dict(verifier(tmp_path).opened(build)) == {"live-iso": []}
    (tmp_path / "live-iso").unlink()
    assert dict(verifier(tmp_path).opened(build)) == {"live-rootfs": []}
    with (tmp_path / "live-rootfs").open("r+b") as file:
        file.seek(CHUNK)
        file.write(b"changed")
    opened = dict(verifier(tmp_path).opened(build))
    assert [each.rule for each in opened["live-rootfs"] or ()] == [Rule.LIVE_STREAM_HASH]
    (tmp_path / "live-rootfs").unlink()
    assert dict(verifier(tmp_path).opened(build)) == {}


def test_deep_the_system_in_the_files_for_pxe_is_checked(good: Path, tmp_path: Path) -> None:
    """Behind the superblock there is nothing."""
    build = build_of(own(good, tmp_path))
    (tmp_path / "live-iso").unlink()
    [(key, found)] = verifier(tmp_path).opened(build)
    assert [(each.rule, each.where) for each in found or ()] == [
        (Rule.LIVE_SYSTEM, "live-rootfs: root file system")
    ]
    assert key == "live-rootfs"


def test_the_files_for_pxe_are_the_build_s(good: Path, tmp_path: Path) -> None:
    build = build_of(own(good, tmp_path), id="9.6.20261101-2")
    found = pxe_findings(tmp_path / "live-initramfs", tmp_path / "live-rootfs", expected_of(build))
    assert [(each.rule, each.where) for each in found] == [
        (Rule.LIVE_VERSION, "live-initramfs"),
        (Rule.LIVE_VERSION, "live-rootfs"),
    ]


def test_a_build_is_inspected_with_its_live_media(good: Path, tmp_path: Path) -> None:
    build = build_of(own(good, tmp_path))
    live = inspect_build(build)["live"]
    assert live["iso"]["volume-id"] == VOLUME.id
    assert live["iso"]["problem"] is None
    assert live["initramfs"] == live["iso"]["initramfs"]
    assert live["rootfs"] == live["iso"]["rootfs"]
    (tmp_path / "live-iso").write_bytes(b"damaged")
    (tmp_path / "live-rootfs").unlink()
    live = inspect_build(build)["live"]
    assert live["iso"]["problem"]["id"] == "iso-unreadable"
    assert (live["initramfs"]["version"], live["rootfs"]) == (BUILD, None)
    for key in ("live-iso", "live-initramfs", "live-kernel"):
        (tmp_path / key).unlink()
    assert inspect_build(build)["live"] is None

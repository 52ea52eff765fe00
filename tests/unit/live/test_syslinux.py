"""Where the files of syslinux come from: one place for all of them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bootimg.arch import Arch
from bootimg.errors import BootimgError
from bootimg.live.iso.bootrow import boot_row
from bootimg.live.iso.syslinux import Read, find_syslinux
from tests.support.live.liveiso import SMALL

ROW = boot_row(Arch.X86_64)
FILES = {name: name.encode() for name in ROW.syslinux} | {"isolinux.bin": SMALL, "isohdpfx.bin": bytes(432)}


def fedora(files: Mapping[str, bytes]) -> Read:
    return {f"usr/share/syslinux/{name}": data for name, data in files.items()}.get


def debian(files: Mapping[str, bytes]) -> Read:
    def folder(name: str) -> str:
        return "usr/lib/syslinux/modules/bios" if name.endswith(".c32") else "usr/lib/ISOLINUX"

    return {f"{folder(name)}/{name}": data for name, data in files.items()}.get


def test_the_layers_files_come_first() -> None:
    found = find_syslinux(fedora(FILES), ROW, debian({}))
    assert (found.files, found.of_layer) == (FILES, True)


@pytest.mark.parametrize("left_out", ["isohdpfx.bin", "vesamenu.c32"])
def test_a_layer_that_lacks_one_file_gives_none(left_out: str) -> None:
    """Files of two versions do not fit together."""
    some = {name: b"another version" for name in FILES if name != left_out}
    found = find_syslinux(fedora(some), ROW, debian(FILES))
    assert (found.files, found.of_layer) == (FILES, False)


def test_missing_files_are_named() -> None:
    some = {name: data for name, data in FILES.items() if name not in ("libutil.c32", "ldlinux.c32")}
    with pytest.raises(BootimgError, match=r"missing: ldlinux\.c32, libutil\.c32") as caught:
        find_syslinux(fedora({}), ROW, debian(some))
    assert caught.value.id == "isolinux-missing"


def test_the_version_and_the_bytes_of_all_files_tell_it_apart() -> None:
    """The identity is recorded with the ISO that the files are in."""
    known = FILES | {"isolinux.bin": SMALL + b"\0ISOLINUX 6.04 20190206 ETCD"}
    identity = find_syslinux(fedora(known), ROW).identity
    assert identity.startswith("6.04 sha256:")
    assert find_syslinux(fedora({}), ROW, debian(known)).identity == identity
    other = known | {"ldlinux.c32": b"other"}
    assert find_syslinux(fedora(other), ROW).identity != identity
    assert find_syslinux(fedora(FILES), ROW).identity.startswith("unknown sha256:")


@pytest.mark.parametrize("change", [{"isohdpfx.bin": bytes(440)}, {"isolinux.bin": bytes(9000)}])
def test_boot_code_that_does_not_fit_is_refused(change: dict[str, bytes]) -> None:
    """A disk with it would not boot."""
    with pytest.raises(BootimgError) as caught:
        find_syslinux(fedora(FILES | change), ROW)
    assert caught.value.id == "isolinux-invalid"


def test_an_architecture_without_a_bios_needs_no_files() -> None:
    assert find_syslinux(fedora({}), boot_row(Arch.AARCH64), debian({})).files == {}

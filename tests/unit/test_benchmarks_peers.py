"""What the benchmark of peers gives to mkosi, and what it says of our time."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from benchmarks import loopdeploy, mkosi, ostree_ext
from benchmarks.basedisks import split
from benchmarks.figures import Figure
from benchmarks.peers import PeerBench
from bootimg.disk.gpt import Gpt, Partition
from bootimg.sizes import MIB

ESP = UUID("C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
XBOOTLDR = UUID("BC13C2FF-59E6-4262-A352-B275FD6F7172")
BIOS = UUID("21686148-6449-6E6F-744E-656564454649")
ROOT = UUID("4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709")


@pytest.fixture(params=[512, 4096])
def gpt(request: pytest.FixtureRequest) -> Gpt:
    mib = MIB // request.param
    parts = (("BIOS-BOOT", BIOS, 1, 1), ("EFI-SYSTEM", ESP, 2, 127), ("boot", XBOOTLDR, 129, 384),
             ("root", ROOT, 513, 3582))  # fmt: skip
    partitions = tuple(
        Partition(number, name, kind, UUID(int=number), start * mib, size * mib)
        for number, (name, kind, start, size) in enumerate(parts, start=1)
    )
    return Gpt(UUID(int=9), 4096 * mib, partitions, request.param)


def parsed(text: str) -> list[tuple[str, str]]:
    """The lines of a definition; systemd's files may have a key more than once."""
    header, *lines = text.splitlines()
    assert header == "[Partition]"
    return [(key, value) for key, _, value in (line.partition("=") for line in lines)]


def test_mkosi_is_asked_for_the_base_disk_s_partitions(gpt: Gpt, tmp_path: Path) -> None:
    files = mkosi.definitions(gpt, tmp_path)
    # systemd-repart takes its files by their names' order.
    found = [dict(parsed(files[name])) for name in sorted(files)]
    assert [UUID(each["Type"]) for each in found] == [BIOS, ESP, XBOOTLDR, ROOT]
    assert [each["Label"] for each in found] == ["BIOS-BOOT", "EFI-SYSTEM", "boot", "root"]
    sizes = [(int(each["SizeMinBytes"]), int(each["SizeMaxBytes"])) for each in found]
    assert sizes == [(size * MIB, size * MIB) for size in (1, 127, 384, 3582)]
    assert [each.get("Format") for each in found] == [None, "vfat", "ext4", "xfs"]


def test_kernel_and_bootloader_are_copied_where_ours_go(gpt: Gpt, tmp_path: Path) -> None:
    for path in (
        "usr/lib/modules/6.1/vmlinuz",
        "usr/lib/modules/6.1/initramfs.img",
        "usr/lib/efi/grub2/2.14/EFI/redhat/grubx64.efi",
        "usr/lib/efi/shim/16/EFI/BOOT/BOOTX64.EFI",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    files = mkosi.definitions(gpt, tmp_path)
    copied = [[value for key, value in parsed(files[name]) if key == "CopyFiles"] for name in sorted(files)]
    assert copied == [
        [],
        ["/usr/lib/efi/grub2/2.14/EFI:/EFI", "/usr/lib/efi/shim/16/EFI:/EFI"],
        ["/usr/lib/modules/6.1/vmlinuz:/vmlinuz", "/usr/lib/modules/6.1/initramfs.img:/initramfs.img"],
        ["/:/"],
    ]


def test_the_time_is_split_by_the_steps_within_the_base_disk() -> None:
    timings = {"tcg/import": 20.0, "tcg/base-appliance": 100.0, "tcg/deploy": 50.0, "tcg/appliance": 12.0}
    assert split(timings) == "step base-appliance: appliance 12.0, deploy 50.0, rest 38.0"
    timings = {"kvm/base-native": 5.0, "kvm/deploy": 1.0, "kvm/filesystems": 3.0, "kvm/bootloader": 0.0}
    assert split(timings) == "step base-native: filesystems 3.0, deploy 1.0, bootloader 0.0, rest 1.0"


def test_what_has_no_peer_is_left_out_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = Figure("import", 1.0, "ratio", 1.0, "")
    monkeypatch.setattr(ostree_ext, "why_not", lambda: None)
    monkeypatch.setattr(mkosi, "why_not", lambda: "mmdebstrap not installed")
    monkeypatch.setattr(loopdeploy, "why_not", lambda: "losetup not installed")
    monkeypatch.setattr(PeerBench, "importing", lambda bench: figure)
    monkeypatch.setattr(PeerBench, "copy", lambda bench: figure)
    assert list(PeerBench(tmp_path, None).figures()) == [figure, figure]
    assert capsys.readouterr().err.splitlines() == [
        "disk: left out, because its peer cannot run: mmdebstrap not installed",
        "loop: left out, because its peer cannot run: losetup not installed",
    ]

"""`bootimg doctor` on machines that lack things."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bootimg import hostpackages, process
from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.cli.commands.doctor import report
from bootimg.cli.main import bootimg
from bootimg.doctor.finding import MachineFinding, Status
from bootimg.doctor.requirements import (
    Tool,
    binding,
    has_module,
    lacking,
    space,
    uefi,
)
from bootimg.errors import BootimgError
from bootimg.hostpackages import Packages
from bootimg.sizes import TIB
from bootimg.vm.kernel import Kernel, kernel_packages

VERSIONS = {
    "skopeo": "skopeo version 1.9.3",
    "qemu-system-x86_64": "QEMU emulator version 7.2.22",
    "qemu-img": "qemu-img version 7.2.22",
    "mksquashfs": "mksquashfs version 4.5.1 (2022/03/17)",
    "sqfstar": "sqfstar version 4.5.1 (2022/03/17)",
    "debugfs": "debugfs 1.47.0 (5-Feb-2023)",
    "e2fsck": "e2fsck 1.47.0 (5-Feb-2023)",
    "mkfs.xfs": "mkfs.xfs version 6.1.0",
}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Debian machine whose PATH has scripts that print versions, and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in VERSIONS.items():
        install(folder, name, text)
    (tmp_path / "os-release").write_text("ID=debian\n")
    monkeypatch.setattr(hostpackages, "OS_RELEASE", tmp_path / "os-release")
    monkeypatch.setattr(process, "_SYSTEM_PATH", ())
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(Arch, "of_machine", lambda: Arch.X86_64)
    return folder


def install(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\necho '{text}'\n")
    (folder / name).chmod(0o755)


def doctor(tmp_path: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(
        bootimg, ["doctor", "--cache", str(tmp_path / "cache"), "--accel", "tcg", *words]
    )
    return done.exit_code, done.stdout


def findings(tmp_path: Path) -> dict[str, dict[str, Any]]:
    _, text = doctor(tmp_path, "--json")
    return {finding["name"]: finding for finding in json.loads(text)["findings"]}


def test_versions_are_read(machine: Path, tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert {name: found[name]["version"] for name in VERSIONS} == {
        "skopeo": "1.9.3", "qemu-system-x86_64": "7.2.22", "qemu-img": "7.2.22", "mksquashfs": "4.5.1",
        "sqfstar": "4.5.1", "debugfs": "1.47.0", "e2fsck": "1.47.0", "mkfs.xfs": "6.1.0",
    }  # fmt: skip
    assert all(found[name]["status"] == "ok" for name in VERSIONS)
    assert found["skopeo"]["minimum"] == "1.6"
    assert found["accelerator"]["version"] == "tcg"


def test_missing_and_old_tools_are_told_with_their_packages(machine: Path, tmp_path: Path) -> None:
    (machine / "skopeo").unlink()
    install(machine, "qemu-img", "qemu-img version 4.2.1 (Debian 1:4.2-3)")
    code, text = doctor(tmp_path)
    assert code == 3
    assert "✘ skopeo              missing  (fetches layers)\n" in text
    assert f"✘ qemu-img            4.2.1 is too old, 6.0 is needed  {machine}/qemu-img\n" in text
    assert "of what builds need is missing" in text
    [line] = [line for line in text.splitlines() if line.startswith("to build: ")]
    assert line.startswith("to build: apt install skopeo qemu-utils")


def test_whose_program_makes_live_media_is_told(machine: Path, tmp_path: Path) -> None:
    """This machine's, or the layer's where it is too old or missing."""
    found = findings(tmp_path)
    assert (found["live-squashfs"]["status"], found["live-squashfs"]["version"]) == ("too-old", "4.5.1")
    assert "the layer's own" in found["live-squashfs"]["detail"]
    assert (found["live-erofs"]["status"], found["live-erofs"]["needed"]) == ("missing", False)
    install(machine, "sqfstar", "sqfstar version 4.6.1 (2023/03/25)")
    assert findings(tmp_path)["live-squashfs"]["detail"] == f"{machine}/sqfstar"
    _, text = doctor(tmp_path)
    assert "- live-erofs          missing  (mkfs.erofs makes the erofs of live media)  builds run" in text


def test_what_only_some_verbs_need_is_no_failure(machine: Path, tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert found["ssh"] == {
        "name": "ssh", "status": "missing", "needed": False, "use": "other", "purpose": "run --ssh",
        "version": None,
        "minimum": None, "detail": "", "install": {"apt": "openssh-client", "dnf": "openssh-clients"},
    }  # fmt: skip
    _, text = doctor(tmp_path)
    assert "- ssh                 missing  (run --ssh)\n" in text
    assert "- butane              missing" in text


def test_the_appliance_is_needed_until_a_bootloader_is_kept(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("xfs_repair", "mke2fs", "mkfs.fat", "fsck.fat", "mcopy"):
        install(machine, name, "version 4.2")
    (machine / "qemu-img").unlink()
    code, text = doctor(tmp_path)
    assert code == 3
    assert "✘ qemu-img" in text
    Cache(tmp_path / "cache").folder("bootloaders").joinpath("key.digest.tar").write_bytes(b"")
    found = findings(tmp_path)
    assert (found["qemu-img"]["needed"], found["qemu-img"]["use"]) == (False, "appliance")
    assert found["mkfs.xfs"]["needed"] is True
    _, text = doctor(tmp_path)
    assert "- qemu-img" in text
    assert "another one needs the appliance\n" in text
    [line] = [line for line in text.splitlines() if line.startswith("for the appliance: ")]
    assert "qemu-utils" in line
    assert (found["accelerator"]["needed"], found["accelerator"]["use"]) == (False, "appliance")
    (machine / "mke2fs").unlink()
    assert doctor(tmp_path)[0] == 3


def test_json_and_the_exit_code_agree(machine: Path, tmp_path: Path) -> None:
    (machine / "sqfstar").unlink()
    code, text = doctor(tmp_path, "--json")
    assert (code, json.loads(text)["ok"]) == (3, False)


def test_a_family_that_is_not_known_gets_both_commands() -> None:
    tool = Tool(name="no-such-program", purpose="x", packages=Packages(apt="one", dnf="two"))
    lines = list(report([tool.check()], None, [Arch.of_machine()]))
    assert lines[-2:] == ["to build: apt install one", "to build: dnf install two"]


def test_a_program_that_tells_no_version_is_not_called_old(machine: Path) -> None:
    install(machine, "skopeo", "hello")
    finding = Tool(name="skopeo", purpose="x", minimum=(1, 6)).check()
    assert (finding.status, finding.version) == (Status.OK, None)


def test_modules_are_found_as_modules_or_built_in(tmp_path: Path) -> None:
    (tmp_path / "modules.dep").write_text(
        "kernel/fs/xfs/xfs.ko.xz: kernel/lib/libcrc32c.ko.xz\n"
        "kernel/fs/fat/fat.ko:\nkernel/fs/fat/vfat.ko: a\n"
    )
    (tmp_path / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\n")
    kernel = Kernel(tmp_path / "vmlinuz", "6.1", tmp_path)
    wanted = ("xfs", "ext4", "vfat", "squashfs", "libcrc32c")
    assert [name for name in wanted if has_module(kernel, name)] == ["xfs", "ext4", "vfat"]


def test_little_space_is_told_but_no_failure(tmp_path: Path) -> None:
    finding = space(Cache(tmp_path / "not" / "yet"), needed=1024 * TIB)
    assert finding.status is Status.FAULT
    assert "bootimg cache gc" in finding.detail
    assert lacking([finding]) == []
    assert not (tmp_path / "not").exists()


def test_the_report_ends_well_when_all_is_there() -> None:
    lines = list(
        report([MachineFinding(name="a", status=Status.OK, purpose="x")], "apt", [Arch.of_machine()])
    )
    assert lines[-1] == "all that builds need is there"


def test_a_binding_that_is_too_old_is_called_so() -> None:
    def find() -> Path:
        raise BootimgError("libguestfs-too-old", "libguestfs is version 1.36.2; 1.44 or newer is needed")

    finding = binding("libguestfs", "makes disks", "guestfs", Packages(apt="a", dnf="b"), find, "")
    assert finding.status is Status.TOO_OLD
    assert "✘ libguestfs  libguestfs is version 1.36.2; 1.44 or newer is needed" in report(
        [finding], "apt", [Arch.of_machine()]
    )


@pytest.mark.parametrize(
    ("arch", "status", "needed", "apt"),
    [
        (Arch.X86_64, Status.MISSING, False, "ovmf"),
        (Arch.AARCH64, Status.MISSING, True, "qemu-efi-aarch64"),
        (Arch.PPC64LE, Status.OK, False, None),
        (Arch.S390X, Status.OK, False, None),
    ],
)
def test_uefi_is_needed_where_machines_have_nothing_else(
    arch: Arch, status: Status, needed: bool, apt: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Arch, "of_machine", lambda: arch)
    monkeypatch.setattr(Path, "exists", lambda path: False)
    found = uefi(arch)
    assert (found.status, found.needed, found.packages and found.packages.apt) == (status, needed, apt)
    assert (found.detail == f"{arch} has no UEFI") is (apt is None)


@pytest.mark.parametrize(("arch", "apt"), [(Arch.X86_64, "amd64"), (Arch.PPC64LE, "powerpc64le")])
def test_the_appliance_s_kernel_is_this_machine_s(
    arch: Arch, apt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Arch, "of_machine", lambda: arch)
    assert kernel_packages().apt == f"linux-image-{apt}"


def test_another_architecture_needs_no_appliance_and_guests_of_it_are_optional(
    machine: Path, tmp_path: Path
) -> None:
    install(machine, "qemu-system-aarch64", "QEMU emulator version 7.2.22")
    (machine / "mksquashfs").unlink()
    _, said = doctor(tmp_path, "--arch", "aarch64")
    assert "disks for aarch64 are made without the appliance on this machine" in said
    assert "live media for aarch64 need it, because the layer's own does not run here" in said
    _, text = doctor(tmp_path, "--json", "--arch", "aarch64")
    found = {each["name"]: each for each in json.loads(text)["findings"]}
    assert (found["qemu-system-aarch64"]["status"], found["qemu-system-aarch64"]["needed"]) == ("ok", False)
    assert not found["qemu-system-x86_64"]["needed"]
    assert not found["libguestfs"]["needed"]
    assert not found["uefi-firmware"]["needed"]
    assert found["mkfs.xfs"]["needed"]
    assert "qemu-system-aarch64" not in findings(tmp_path)


def test_all_architectures_are_one_report(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Arch, "of_machine", lambda: Arch.X86_64)
    install(machine, "qemu-system-s390x", "QEMU emulator version 7.2.22")
    _, text = doctor(tmp_path, "--json", "--arch", "all")
    names = [each["name"] for each in json.loads(text)["findings"]]
    assert len(names) == len(set(names))
    emulators = [name for name in names if name.startswith("qemu-system-")]
    assert sorted(emulators) == [f"qemu-system-{each}" for each in ("aarch64", "ppc64", "s390x", "x86_64")]
    assert [name for name in names if "uefi" in name] == ["uefi-firmware-x86_64", "uefi-firmware-aarch64"]
    found = {each["name"]: each for each in json.loads(text)["findings"]}
    assert (found["qemu-system-s390x"]["status"], found["qemu-system-ppc64"]["status"]) == ("ok", "missing")
    # This machine's own architecture is among them: its disks may need the appliance.
    assert found["libguestfs"]["needed"]
    _, text = doctor(tmp_path, "--json", "--arch", "aarch64,s390x")
    names = [each["name"] for each in json.loads(text)["findings"]]
    assert [name for name in names if "uefi" in name] == ["uefi-firmware-aarch64"]
    assert "qemu-system-ppc64" not in names

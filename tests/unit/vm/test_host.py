"""What is looked for on the host: a kernel, QEMU, the distribution's family; and the KVM probe's verdicts."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from bootimg import hostpackages
from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Event, Events, StepStarted
from bootimg.hostpackages import Packages
from bootimg.vm import kernel, probe, qemu


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def bzimage(path: Path, release: str) -> Path:
    data = bytearray(0x600)
    data[514:518] = b"HdrS"
    struct.pack_into("<H", data, 526, 0x200)
    data[0x400 : 0x400 + len(release) + 6] = release.encode() + b" (x) #"
    path.write_bytes(data)
    return path


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty /boot and /lib/modules."""
    for name in ("boot", "modules"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(kernel, "BOOT", tmp_path / "boot")
    monkeypatch.setattr(kernel, "MODULES", tmp_path / "modules")
    for name in ("SUPERMIN_KERNEL", "SUPERMIN_KERNEL_VERSION", "SUPERMIN_MODULES"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def modules(host: Path, release: str) -> Path:
    folder = host / "modules" / release
    folder.mkdir()
    (folder / "modules.dep").touch()
    return folder


def test_the_newest_kernel_with_modules_is_taken_by_number(host: Path) -> None:
    for release in ("6.9.0-1-amd64", "6.10.0-2-amd64", "6.11.0-1-amd64"):
        bzimage(host / "boot" / f"vmlinuz-{release}", release)
        if "6.11" not in release:
            modules(host, release)
    found = kernel.find_kernel()
    assert found.release == "6.10.0-2-amd64"
    assert found.supermin_environment()["SUPERMIN_MODULES"] == str(host / "modules/6.10.0-2-amd64")


def test_the_release_is_that_of_the_image_not_of_its_name(host: Path) -> None:
    modules(host, "6.1.0-9")
    bzimage(host / "boot" / "vmlinuz-renamed", "6.1.0-9")
    assert kernel.find_kernel().release == "6.1.0-9"


def test_a_kernel_beside_its_modules_comes_before_boot(host: Path) -> None:
    bzimage(modules(host, "6.1.0") / "vmlinuz", "6.1.0")
    bzimage(host / "boot" / "vmlinuz-6.2.0", "6.2.0")
    modules(host, "6.2.0")
    assert kernel.find_kernel().path == host / "modules/6.1.0/vmlinuz"


def test_supermins_variables_win(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules(host, "6.5.0")
    monkeypatch.setenv("SUPERMIN_KERNEL", str(bzimage(host / "mine", "6.5.0")))
    assert kernel.find_kernel().path == host / "mine"


def test_no_kernel_says_what_to_install(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostpackages, "OS_RELEASE", host / "os-release")
    (host / "os-release").write_text('ID=centos\nID_LIKE="rhel fedora"\n')
    with pytest.raises(BootimgError) as caught:
        kernel.find_kernel()
    assert (caught.value.id, caught.value.exit_code) == ("kernel-for-appliance-missing", ExitCode.ENVIRONMENT)
    assert caught.value.hint == "`dnf install kernel-core`"


def test_an_unreadable_kernel_is_passed_over_and_told(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = bzimage(host / "boot" / "vmlinuz-6.1.0", "6.1.0")
    modules(host, "6.1.0")
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != image and real(path, mode))
    with pytest.raises(BootimgError) as caught:
        kernel.find_kernel()
    assert caught.value.context == (f"{image} is not readable",)
    assert caught.value.hint and "chmod a+r" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("ID=debian\n", "apt"),
        ("ID=linuxmint\nID_LIKE='ubuntu debian'\n", "apt"),
        ("ID=fedora\n", "dnf"),
        ('ID="almalinux"\nID_LIKE="rhel centos fedora"\n', "dnf"),
        ("ID=arch\n", None),
    ],
)
def test_family_of_a_distribution(tmp_path: Path, text: str, family: str | None) -> None:
    (tmp_path / "os-release").write_text(text)
    assert hostpackages.distribution_family(tmp_path / "os-release") == family


def test_an_unknown_family_gets_both_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostpackages, "OS_RELEASE", tmp_path / "none")
    assert Packages(apt="a", dnf="b").hint() == "`apt install a` or `dnf install b`"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of one empty folder."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(qemu, "RHEL_QEMU", tmp_path / "qemu-kvm")
    return tmp_path / "bin"


def test_missing_qemu(path: Path) -> None:
    with pytest.raises(BootimgError) as system:
        qemu.require_system(Arch.S390X)
    assert (system.value.id, system.value.message) == ("qemu-missing", "qemu-system-s390x is not installed")
    with pytest.raises(BootimgError) as image:
        qemu.require_qemu_img()
    assert (image.value.id, image.value.exit_code) == ("qemu-img-missing", ExitCode.ENVIRONMENT)


def test_old_qemu_is_told_with_both_versions(path: Path) -> None:
    program(path / "qemu-system-ppc64", "echo 'QEMU emulator version 5.2.0 (Debian 1:5.2+dfsg)'")
    program(path / "qemu-img", "echo 'qemu-img version 4.2.1'")
    with pytest.raises(BootimgError) as system:
        qemu.require_system(Arch.PPC64LE)
    assert system.value.id == "qemu-too-old"
    assert system.value.message == f"{path}/qemu-system-ppc64 is version 5.2.0; 6.0 or newer is needed"
    with pytest.raises(BootimgError, match=r"qemu-img-too-old: .* is version 4\.2\.1; 6\.0 or newer"):
        qemu.require_qemu_img()


def test_rhels_emulator_is_found_for_its_own_architecture_only(path: Path) -> None:
    program(qemu.RHEL_QEMU, "echo 'QEMU emulator version 9.0.0 (qemu-kvm-9.0.0-10.el9)'")
    here = Arch.of_machine()
    assert qemu.require_system(here).version == (9, 0, 0)
    assert qemu.find_system(next(arch for arch in Arch if arch is not here)) is None


FAKE_QEMU = 'case $1 in --version) echo "QEMU emulator version 7.2.0"; exit;; esac\n'
GOOD = 'echo "[    0.000000] Linux version 6.1"; echo "VFS: Unable to mount root fs"; exec sleep 60'


@pytest.fixture
def kvm(host: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /dev/kvm that opens, a kernel, and a place for QEMU."""
    (host / "kvm").touch()
    monkeypatch.setattr(probe, "KVM", host / "kvm")
    monkeypatch.setattr(probe, "DEADLINE", 0.5)
    modules(host, "6.1.0")
    bzimage(host / "boot" / "vmlinuz-6.1.0", "6.1.0")
    monkeypatch.setenv("PATH", f"{path}:/usr/bin:/bin")
    return path / qemu.system_name(Arch.of_machine())


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exec sleep 60", "a kernel writes nothing within 0 s"),
        ("echo 'Probing EDD ... ok'; exec sleep 60", "a kernel writes nothing within 0 s"),
        ("echo 'Linux version 6.1'; exec sleep 60", "a kernel begins and stops within 0 s"),
        ("echo 'qemu-system-x86_64: error: failed to set MSR 0x10a' >&2; exit 1",
         "QEMU ended: failed to set MSR 0x10a"),
        ("exit 0", "QEMU ended"),
    ],
)  # fmt: skip
def test_kvm_that_runs_no_guest_is_tcg_with_the_reason(
    kvm: Path, tmp_path: Path, script: str, reason: str
) -> None:
    program(kvm, FAKE_QEMU + script)
    chosen = probe.choose_accelerator("auto", Cache(tmp_path / "cache"))
    assert (chosen.name, chosen.reason) == ("tcg", f"kvm opens but a guest does not run: {reason}")
    with pytest.raises(BootimgError) as caught:
        probe.choose_accelerator("kvm", Cache(tmp_path / "cache"))
    assert (caught.value.id, caught.value.exit_code) == ("kvm-unusable", ExitCode.ENVIRONMENT)


def test_kvm_that_runs_a_guest_is_taken_and_tested_once(kvm: Path, tmp_path: Path) -> None:
    program(kvm, FAKE_QEMU + GOOD)
    cache, events = Cache(tmp_path / "cache"), list[Event]()
    for _ in range(2):
        assert (
            probe.choose_accelerator("auto", cache, Events([lambda event: events.append(event)])).name
            == "kvm"
        )
    assert sum(isinstance(event, StepStarted) for event in events) == 1


def test_the_verdict_falls_with_the_kernel_and_with_qemu(kvm: Path, host: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    program(kvm, FAKE_QEMU + GOOD)
    assert probe.choose_accelerator("auto", cache).name == "kvm"
    program(kvm, FAKE_QEMU.replace("7.2.0", "7.2.1") + "exit 1")
    assert probe.choose_accelerator("auto", cache).name == "tcg"
    program(kvm, FAKE_QEMU + "exit 1")
    assert probe.choose_accelerator("auto", cache).name == "kvm"
    os.utime(host / "boot" / "vmlinuz-6.1.0", ns=(1, 1))
    assert probe.choose_accelerator("auto", cache).name == "tcg"


def test_tcg_without_a_test(kvm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path / "cache")
    assert probe.choose_accelerator("tcg", cache).reason == "asked for"
    foreign = next(arch for arch in Arch if arch is not Arch.of_machine())
    assert "architecture" in probe.choose_accelerator("auto", cache, arch=foreign).reason
    monkeypatch.setattr(probe, "KVM", tmp_path / "no-kvm")
    assert probe.choose_accelerator("auto", cache).reason == f"there is no {tmp_path}/no-kvm"
    with pytest.raises(BootimgError, match="accelerator-unknown"):
        probe.choose_accelerator("hvf", cache)


def test_without_a_kernel_kvm_is_not_trusted(kvm: Path, host: Path, tmp_path: Path) -> None:
    program(kvm, FAKE_QEMU + GOOD)
    (host / "boot" / "vmlinuz-6.1.0").unlink()
    assert probe.choose_accelerator("auto", Cache(tmp_path / "cache")).name == "tcg"
    with pytest.raises(BootimgError, match="kernel-for-appliance-missing"):
        probe.choose_accelerator("kvm", Cache(tmp_path / "cache"))


def test_qemu_s_version_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = f'echo asked >> {tmp_path}/times; echo "qemu-img version 9.1.0"'
    program(tmp_path / "bin/qemu-img", script)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    assert [qemu.require_qemu_img().version for _ in range(3)] == [(9, 1, 0)] * 3
    assert (tmp_path / "times").read_text() == "asked\n"

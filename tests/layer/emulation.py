"""Running programs of another architecture as root of a namespace, by QEMU's user-mode emulation."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from bootimg import process
from bootimg.arch import Arch
from tests.layer import store
from tests.layer.debian import find_mirror, proxy_options
from tests.layer.recipe import HERE

# It is linked statically: it runs in a chroot that has nothing of this machine's.
_SUITE, _PACKAGE = "trixie", "qemu-user"
_ROOTLESS = ("unshare", "--map-root-user", "--map-auto", "--mount", "--")
# e_machine of the ELF header, as binfmt.py takes it.
_MACHINES = {Arch.AARCH64: "b700"}


def entered(arch: Arch) -> tuple[str, ...]:
    """The words before a command that runs where programs of `arch` run; none if they run anyway."""
    return () if runs_here(arch) else namespace(emulator(arch), arch)


def namespace(program: Path, arch: Arch) -> tuple[str, ...]:
    """The words before a command that runs where `program` gets what is of `arch`."""
    users = (*_script("usernamespace.py"), "unshare", "--mount", "--") if os.geteuid() == 0 else _ROOTLESS
    return (*users, *_script("binfmt.py"), str(_place("binfmt_misc")), str(program), _MACHINES[arch])


def _script(name: str) -> tuple[str, ...]:
    return (sys.executable, "-I", str(HERE / name))


def _place(name: str) -> Path:
    """A path of the test cache; `binfmt_misc` is an empty folder."""
    folder = store.test_cache() / "emulators"
    (folder / "binfmt_misc").mkdir(parents=True, exist_ok=True)
    return folder / name


def runs_here(arch: Arch) -> bool:
    """Whether this machine runs programs of an architecture as it is."""
    if arch is Arch.of_machine():
        return True
    tester = process.find("arch-test")
    return tester is not None and process.run([tester, arch.row.names.debian], check=False).returncode == 0


def why_not(arch: Arch) -> str | None:
    """Why programs of an architecture cannot run here; None if they can."""
    if runs_here(arch):
        return None
    if arch not in _MACHINES or Arch.of_machine() is not Arch.X86_64:
        return f"programs of {arch} cannot be emulated on {Arch.of_machine()}"
    if process.find("mmdebstrap") is None:
        return "mmdebstrap is not installed"
    tried = process.run([*namespace(Path("/bin/true"), arch), "true"], check=False)
    if tried.returncode:
        said = tried.stderr.decode(errors="replace")[-200:].strip()
        return f"programs of {arch} need binfmt_misc in a user namespace (Linux 6.7): {said}"
    return None


def emulator(arch: Arch) -> Path:
    """QEMU's program, fetched if the test cache lacks it."""
    place = _place(f"{_SUITE}-qemu-{arch}")
    with store.locked(place.parent):
        return store.made(place, lambda output: _fetch(arch, output))


def _fetch(arch: Arch, output: Path) -> None:
    """Out of a package that has forty emulators."""
    root = output.with_name(f"{output.name}.root")
    options = (f"--aptopt={option}" for option in ("Apt::Install-Recommends false", *proxy_options()))
    try:
        process.run(
            [
                process.require("mmdebstrap", packages="mmdebstrap"), "--quiet", "--variant=extract",
                "--format=directory", f"--include={_PACKAGE}", *options,
                _SUITE, root, f"deb {find_mirror().main} {_SUITE} main",
            ],
            timeout=1800,
        )  # fmt: skip
        shutil.move(root / f"usr/bin/qemu-{arch}", output)
    finally:
        shutil.rmtree(root, ignore_errors=True)

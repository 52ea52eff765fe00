"""Live media of a layer, and boots of them without boot loaders: kernel, initramfs and rootfs image."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bootimg import process
from bootimg.arch import Arch
from bootimg.arches.row import Firmware
from bootimg.errors import BootimgError
from bootimg.live.booting.pxe import ARGUMENTS, write_initrd
from bootimg.live.embed.pxe import wrap_ignition
from bootimg.live.features import features_json
from bootimg.live.fsoptions import FsType, RootfsOptions
from bootimg.live.initramfs import overlay, write_initramfs
from bootimg.live.programs.choice import require_here
from bootimg.live.programs.known import MAKERS
from bootimg.live.rootfs import write_filesystem
from bootimg.live.rootfsimage import RootfsImage, write_image
from bootimg.live.roottree import live_root
from bootimg.sizes import MIB
from bootimg.sysroot.commit import Commit
from bootimg.sysroot.kernel import find_kernel
from bootimg.sysroot.objects import FileObject
from bootimg.sysroot.system import System
from bootimg.sysroot.wanted import Wanted
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.diskimage import open_image
from bootimg.vm.firmware import make_flash
from bootimg.vm.guest import Guest
from bootimg.vm.machine import DirectBoot, Machine

# What a boot in the tests prints when it has reached its end; the config has another text.
REACHED = re.compile(r"live system: root (\w+) user core:(\d+)")
DEADLINE = 1800
"""Seconds of a boot under TCG on a busy machine."""
_LIBRARY_FOLDER = "usr/lib/x86_64-linux-gnu"
_LIBRARIES = (
    "ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6", "liblz4.so.1", "liblzma.so.5", "liblzo2.so.2",
    "libz.so.1", "libzstd.so.1",
)  # fmt: skip
_REPORT = """[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'test -e /run/ostree-live && touch /etc/written /var/written && \
  echo "live system: root $(findmnt -no FSTYPE /sysroot) user core:$(id -u core)"'
ExecStopPost=/usr/bin/systemctl --no-block poweroff
[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Live:
    """Kernel, initramfs and rootfs image."""

    kernel: Path
    initramfs: Path
    image: RootfsImage

    @property
    def rootfs(self) -> Path:
        return self.image.written.path


def make_live(wanted: Wanted, system: System, folder: Path, options: RootfsOptions, build_id: str) -> Live:
    """All three, in a new folder."""
    folder.mkdir()
    filesystem = folder / "filesystem"
    epoch = wanted.now // 10**9
    write_filesystem(live_root(system, ()), filesystem, options, identity=build_id, epoch=epoch)
    image = write_image(folder / "rootfs.img", filesystem, options.fstype, build_id)
    filesystem.unlink()
    kernel, initramfs = (file for _, file in find_kernel(wanted.commit).files[:2])
    assert isinstance(kernel, FileObject)
    assert isinstance(initramfs, FileObject)
    files = overlay(build_id, features_json(wanted.commit), image.want_rootfs)
    write_initramfs(folder / "initramfs.img", wanted.commit.objects.read(initramfs), files)
    (folder / "kernel").write_bytes(b"".join(wanted.commit.objects.read(kernel)))
    return Live(folder / "kernel", folder / "initramfs.img", image)


def newer_programs(commit: Commit, folder: Path) -> Path | None:
    """A folder with the layer's sqfstar where this machine's is too old; None where it will do."""
    return None if has_maker() else layers_programs(commit, folder)


def has_maker() -> bool:
    """Whether this machine's sqfstar is new enough for live media."""
    try:
        require_here(MAKERS[FsType.SQUASHFS])
    except BootimgError:
        return False
    return True


def layers_programs(commit: Commit, folder: Path) -> Path:
    """That folder, with the layer's sqfstar, which runs on the layer's libc."""
    for library in _LIBRARIES:
        (folder / library).write_bytes(_followed(commit, f"{_LIBRARY_FOLDER}/{library}"))
        (folder / library).chmod(0o755)
    # sqfstar is another name of mksquashfs, by which it knows what it is to do.
    (folder / "programs").mkdir()
    (folder / "programs/sqfstar").write_bytes(_followed(commit, "usr/bin/sqfstar"))
    loader = f"{folder}/{_LIBRARIES[0]} --library-path {folder}"
    (folder / "sqfstar").write_text(f'#!/bin/sh\nexec {loader} {folder}/programs/sqfstar "$@"\n')
    (folder / "sqfstar").chmod(0o755)
    return folder


def older_program(folder: Path) -> Path:
    """A folder with an sqfstar that does what this machine's does, and says that it is 4.5.1."""
    real = process.require("sqfstar", packages="squashfs-tools")
    script = f'[ "$1" = -version ] && {{ echo "sqfstar version 4.5.1"; exit; }}\nexec {real} "$@"'
    (folder / "sqfstar").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "sqfstar").chmod(0o755)
    return folder


def _followed(commit: Commit, path: str) -> bytes:
    """The content of a file of the layer, or of one beside it that a symlink names."""
    found = commit.find(path)
    assert isinstance(found, FileObject), path
    if found.target is None:
        return commit.read(path, 64 * MIB)
    return _followed(commit, f"{path.rpartition('/')[0]}/{found.target.decode()}")


def report_config() -> bytes:
    """An Ignition config that reports at the end of the boot and turns the machine off."""
    unit = {"name": "report.service", "enabled": True, "contents": _REPORT}
    config: dict[str, Any] = {"ignition": {"version": "3.0.0"}, "systemd": {"units": [unit]}}
    return json.dumps(config).encode()


def ignition_archive() -> bytes:
    """An initramfs with that config."""
    return wrap_ignition(report_config())


def iso_machine(iso: Path, medium: str, firmware: Firmware, folder: Path, memory_mib: int) -> Machine:
    """A machine without a network that has the ISO as a `cd` or as a `disk`; its console is in the folder."""
    return replace(
        _machine(folder, memory_mib),
        disk=open_image(iso, "raw") if medium == "disk" else None,
        cd=open_image(iso, "raw") if medium == "cd" else None,
        flash=make_flash(Arch.X86_64, firmware, folder),
        netdev=None,
    )


def console_of(live: Live, initrds: Sequence[Path | bytes], arguments: Sequence[str], folder: Path) -> str:
    """What a machine without a disk prints until it turns itself off; `initrds` follow the initramfs."""
    initrd = folder / "initrd"
    write_initrd(initrd, [live.initramfs, *initrds])
    debug = ["console=ttyS0", "systemd.show_status=0", "rd.shell=0", "rd.emergency=poweroff", "selinux=0",
             "systemd.journald.forward_to_console=1", "systemd.journald.max_level_console=info",
             "lsm=lockdown,yama", "init_on_alloc=0", "transparent_hugepage=madvise"]  # fmt: skip
    direct = DirectBoot(live.kernel, initrd, [*arguments, *ARGUMENTS, *debug])
    text = console_until_off(replace(_machine(folder, 2560), direct=direct, netdev="user,id=net"))
    initrd.unlink()
    return text


def console_until_off(machine: Machine, seconds: float = DEADLINE) -> str:
    """What a machine prints until it turns itself off."""
    with Guest(machine) as guest:
        guest.wait_off(seconds)
        return guest.console.text


def _machine(folder: Path, memory_mib: int) -> Machine:
    return Machine(
        arch=Arch.X86_64,
        accelerator=Accelerator("tcg", "the tests' choice"),
        console=folder / "console.log",
        memory_mib=memory_mib,
        reboot=False,
    )


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A server of a folder's files on loopback; yields its URL for a guest of QEMU's user network."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://10.0.2.2:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()

"""Live media of a layer, and boots of them without boot loaders: kernel, initramfs and rootfs image."""

from __future__ import annotations

import http.server
import json
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.errors import BootimgError
from bootimg.live import cpio
from bootimg.live.cpio import Member
from bootimg.live.features import features_json
from bootimg.live.fsoptions import FsType, RootfsOptions
from bootimg.live.initramfs import overlay, write_initramfs
from bootimg.live.programs import require_maker
from bootimg.live.rootfs import write_filesystem
from bootimg.live.rootfsimage import RootfsImage, write_image
from bootimg.live.roottree import live_root
from bootimg.sysroot.commit import Commit
from bootimg.sysroot.kernel import find_kernel
from bootimg.sysroot.objects import FileObject
from bootimg.sysroot.system import System
from bootimg.sysroot.wanted import Wanted
from bootimg.vm.qemu import find_system

# What a boot in the tests prints when it has reached its end; the config has another text.
REACHED = re.compile(r"live system: root (\w+) user core:(\d+)")
_DEADLINE = 1800
_LIBRARY_FOLDER = "usr/lib/x86_64-linux-gnu"
_LIBRARIES = (
    "ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6", "liblz4.so.1", "liblzma.so.5", "liblzo2.so.2",
    "libz.so.1", "libzstd.so.1",
)  # fmt: skip
_REPORT = """[Unit]
After=multi-user.target
[Service]
Type=oneshot
StandardOutput=tty
TTYPath=/dev/ttyS0
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
    """A folder with the layer's sqfstar where this machine's is too old; None where it will do.

    It runs on the layer's libc.
    """
    try:
        require_maker(FsType.SQUASHFS)
    except BootimgError:
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
    return None


def _followed(commit: Commit, path: str) -> bytes:
    """The content of a file of the layer, or of one beside it that a symlink names."""
    found = commit.find(path)
    assert isinstance(found, FileObject), path
    if found.target is None:
        return commit.read(path)
    return _followed(commit, f"{path.rpartition('/')[0]}/{found.target.decode()}")


def report_config() -> bytes:
    """An Ignition config that reports at the end of the boot and turns the machine off."""
    unit = {"name": "report.service", "enabled": True, "contents": _REPORT}
    config: dict[str, Any] = {"ignition": {"version": "3.0.0"}, "systemd": {"units": [unit]}}
    return json.dumps(config).encode()


def ignition_archive() -> bytes:
    """An archive with that config."""
    return b"".join(cpio.members([Member("config.ign", report_config())]))


def console_of(live: Live, initrds: Sequence[Path | bytes], arguments: Sequence[str], folder: Path) -> str:
    """What a machine without a disk prints until it turns itself off; `initrds` follow the initramfs."""
    initrd = folder / "initrd"
    with initrd.open("wb") as out:
        for each in (live.initramfs, *initrds):
            data = each if isinstance(each, bytes) else each.read_bytes()
            out.write(data + cpio.padding(len(data)))
    debug = ["console=ttyS0", "systemd.show_status=0", "rd.shell=0", "rd.emergency=poweroff", "selinux=0",
             "systemd.journald.forward_to_console=1", "systemd.journald.max_level_console=info",
             "lsm=lockdown,yama", "init_on_alloc=0", "transparent_hugepage=madvise"]  # fmt: skip
    always = ["ignition.firstboot", "ignition.platform.id=metal"]
    system = find_system(Arch.X86_64)
    assert system
    argv = [system.path, "-M", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "2560", "-nographic",
            "-no-reboot", "-kernel", live.kernel, "-initrd", initrd, "-append",
            " ".join([*arguments, *always, *debug]), "-netdev", "user,id=net", "-device",
            "virtio-net-pci,netdev=net"]  # fmt: skip
    words = [str(word) for word in argv]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_DEADLINE)
    initrd.unlink()
    text = done.stdout.decode(errors="replace")
    (folder / "console.log").write_text(text)
    return text


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

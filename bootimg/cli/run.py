"""`bootimg run`: boot a disk image in QEMU."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import click

from bootimg import process
from bootimg.arch import Arch
from bootimg.cli.app import App
from bootimg.cli.options import accel_option, arch_option, builds_option, common, size_type
from bootimg.cli.terminal import terminal_kept
from bootimg.errors import BootimgError, ExitCode
from bootimg.sizes import GIB, MIB
from bootimg.vm.firmware import Firmware, find_uefi
from bootimg.vm.guest import Guest
from bootimg.vm.ignition import Mount, guest_config, read_config
from bootimg.vm.image import image_format
from bootimg.vm.machine import Bind, Flash, Machine, check_firmware
from bootimg.vm.probe import choose_accelerator
from bootimg.vm.qemu import require_system
from bootimg.vm.ssh import SshKey, free_port, make_key, ssh_argv, wait_for_sshd

SSH_DEADLINE = 900.0
EPILOG = """\
\b
Examples:
  bootimg run
  bootimg run --firmware uefi -i config.ign --ssh 'rpm-ostree status' disk.qcow2"""


@dataclass(frozen=True, slots=True)
class BindParameter:
    """What `--bind-ro SRC:DST` says."""

    source: Path
    path: PurePosixPath


class BindType(click.ParamType[BindParameter]):
    """SRC:DST, a folder here and an absolute path in the guest."""

    name = "SRC:DST"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> BindParameter:  # noqa: ANN401
        """The two; a usage error where they are not that."""
        source, _, path = str(value).rpartition(":")
        if not source or not path.startswith("/"):
            self.fail(f"{value!r} is not SRC:DST with an absolute DST", param, ctx)
        if not Path(source).is_dir():
            self.fail(f"{source} is not a folder", param, ctx)
        return BindParameter(Path(source).absolute(), PurePosixPath(path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for on the command line."""

    disk: Path
    arch: Arch
    firmware: Firmware | None
    ignition: Path | None
    memory_mib: int
    cpus: int
    kargs: tuple[str, ...]
    binds: tuple[BindParameter, ...]
    ssh: str | None
    console: Path | None
    write: bool


@click.command("run", epilog=EPILOG)
@click.argument("image", metavar="[BUILD|FILE]", required=False)
@click.option("--firmware", type=click.Choice(["bios", "uefi"]), help="Default: the architecture's first.")
@click.option("-i", "--ignition", type=click.Path(path_type=Path), metavar="FILE",
              help="Ignition config, or Butane config (.bu, .yaml); default: core logged in on the console.")
@click.option("--memory", type=size_type, default="2G", show_default=True, metavar="SIZE")
@click.option("--cpus", type=click.IntRange(1, 255), default=lambda: min(os.cpu_count() or 1, 4),
              show_default="up to 4", metavar="N")
@click.option("--kargs", multiple=True, metavar="ARGS", help="Kernel arguments to add, this time only.")
@click.option("--bind-ro", type=BindType(), multiple=True, metavar="SRC:DST",
              help="Show a folder of this machine to the guest (9p), read-only.")
@click.option("--ssh", is_flag=False, flag_value="", metavar="[COMMAND]",
              help="Log in as core, or run a command and exit as it does; --ssh=COMMAND before an image.")
@click.option("--console", is_flag=False, flag_value="-", metavar="[FILE]",
              help="Write the serial console to a file; without FILE: the terminal.")
@click.option("--write", is_flag=True, help="Let the guest change the disk; otherwise changes are dropped.")
@arch_option
@accel_option
@builds_option
@common
def command(
    *,
    app: App,
    image: str | None,
    builds: Path,
    arch: Arch,
    firmware: str | None,
    memory: int,
    kargs: tuple[str, ...],
    bind_ro: tuple[BindParameter, ...],
    console: str | None,
    **others: Any,  # noqa: ANN401
) -> None:
    """Boot a disk image; by default the latest qemu build.

    Without --write, the disk is never written.  The console is left with Ctrl-A X.
    """  # fmt: skip
    kargs = tuple(word for words in kargs for word in words.split())
    if kargs and others["write"]:
        raise click.UsageError("--kargs are for one run, --write is for good: give one of them")
    if console == "-" and others["ssh"] is not None:
        raise click.UsageError("with --ssh the terminal is taken: give --console a file")
    wanted = Wanted(
        disk=find_disk(image, builds, arch),
        arch=arch,
        firmware=Firmware(firmware) if firmware else None,
        memory_mib=memory // MIB,
        kargs=kargs,
        binds=bind_ro,
        console=Path(console) if console not in (None, "-") else None,
        **others,
    )
    click.get_current_context().exit(_run(app, wanted))

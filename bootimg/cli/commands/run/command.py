"""`bootimg run`: boot a disk image or live media in QEMU."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bootimg.arch import Arch
from bootimg.arches.row import Firmware
from bootimg.atomic import temporary_folder
from bootimg.cli.commands.run.media import Choice, opened
from bootimg.cli.commands.run.overlay import laid_over
from bootimg.cli.commands.run.target import check_sectors, check_target, target_for
from bootimg.cli.options.archoptions import image_arch_option
from bootimg.cli.options.common import (
    accel_option,
    builds_option,
    common,
    limit_option,
    registry_options,
    size_type,
)
from bootimg.cli.options.runtypes import BindType, TargetSize, TargetType
from bootimg.cli.output.session import App
from bootimg.kernelarg import parse_arguments
from bootimg.sizes import GIB, MIB
from bootimg.untrusted.limits import Limits
from bootimg.vm.ignition import read_config
from bootimg.vm.network import Network
from bootimg.vm.probe import choose_accelerator
from bootimg.vm.session import Session, Share

if TYPE_CHECKING:
    from bootimg.layer.fetching.fetch import RegistryOptions
    from bootimg.orchestrator.nodeimage import NodeImage

_MEMORY, _LIVE_MEMORY = 2 * GIB, 4 * GIB
EPILOG = """\
\b
Examples:
  bootimg run
  bootimg run --firmware uefi -i config.ign --ssh='systemctl status' disk.qcow2
  bootimg run --target-disk 10G live.iso
  bootimg run --pxe latest
  bootimg run --overlay quay.io/example/node:4.20 --ssh='oc version --client' latest
"""


@click.command("run", epilog=EPILOG)
@common
@click.argument("image", metavar="[BUILD|FILE]", required=False)
@click.option("--pxe", is_flag=True, help="Boot the live kernel, initramfs and rootfs of the build.")
@click.option(
    "--firmware",
    type=click.Choice(["bios", "uefi"]),
    help="The guest's firmware.  [default: the architecture's usual one]",
)
@click.option(
    "-i",
    "--ignition",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Ignition config, or Butane config (.bu, .yaml).  [default: one that logs core in on the console]",
)
@click.option(
    "--memory",
    type=size_type,
    metavar="SIZE",
    help=f"Memory of the machine.  [default: {_MEMORY // GIB}G, {_LIVE_MEMORY // GIB}G for live media]",
)
@click.option(
    "--cpus",
    type=click.IntRange(1, 255),
    help="CPUs of the machine.  [default: up to 4 with KVM, 1 without]",
    metavar="N",
)
@click.option("--kargs", multiple=True, metavar="ARGS", help="Kernel arguments to add, for this run only.")
@click.option(
    "--bind-ro",
    type=BindType(),
    multiple=True,
    metavar="SRC:DST",
    help="Share a folder of this machine with the guest (9p), read-only.",
)
@click.option(
    "--ssh",
    is_flag=False,
    flag_value="",
    metavar="[COMMAND]",
    help="Log in as core, or run a command and exit with its status; write --ssh=COMMAND before an image.",
)
@click.option(
    "--console",
    is_flag=False,
    flag_value="-",
    metavar="[FILE]",
    help="Write the serial console to a file; without FILE, to the terminal.",
)
@click.option(
    "--target-disk",
    type=TargetType(),
    metavar="SIZE[:SECTOR]",
    help="Give live media an empty disk to install to.  [default: no disk; sectors of 512 bytes]",
)
@click.option(
    "--keep-target",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep that disk, as a new qcow2.",
)
@click.option(
    "--overlay",
    metavar="NODE_IMAGE",
    help="Lay a node image over the system, as a bootstrap machine does.",
)
@click.option("--write", is_flag=True, help="Let the guest change the disk; otherwise changes are dropped.")
@click.option(
    "--network",
    type=click.Choice([str(each) for each in Network]),
    default=str(Network.ON),
    show_default=True,
    help="What the guest reaches: other machines (on), nothing (off), also this machine's loopback (host).",
)
@image_arch_option
@accel_option
@builds_option
@registry_options
@limit_option
def command(
    *,
    app: App,
    image: str | None,
    builds: Path,
    arch: Arch | None,
    pxe: bool,
    firmware: str | None,
    ignition: Path | None,
    memory: int | None,
    cpus: int | None,
    kargs: tuple[str, ...],
    bind_ro: tuple[Share, ...],
    ssh: str | None,
    console: str | None,
    write: bool,
    target_disk: TargetSize | None,
    keep_target: Path | None,
    overlay: str | None,
    network: str,
    registry: RegistryOptions,
    limits: Limits,
) -> None:
    """Boot a disk image (by default the qemu image of the latest build), a live ISO, or live files.

    Without --write the disk is not changed.  A compressed image is uncompressed for the run.  Ctrl-A X
    leaves the console.
    """
    words = parse_arguments(kargs, "--kargs")
    if words and write:
        raise click.UsageError("--kargs applies to one run, --write is permanent: give only one of them")
    if ssh is not None:
        _check_ssh(console, network)
    check_target(target_disk, keep_target)
    config, chosen = read_config(ignition) if ignition else None, Firmware(firmware) if firmware else None
    choice = Choice(image=image, builds=builds, arch=arch, pxe=pxe, write=write, kargs=words, limits=limits)
    with temporary_folder("bootimg-run-") as folder, opened(choice, app, folder) as found:
        check_sectors(target_disk, found.arch, chosen)
        if target_disk and not found.live:
            raise click.UsageError(f"--target-disk is for live media, and {found.name} is a disk image")
        node = laid_over(overlay, found, app, registry, limits) if overlay else None
        accelerator = choose_accelerator(app.accel, app.cache, app.events, found.arch)
        app.events.message(f"boot {found.name}   accel: {accelerator}")
        with target_for(target_disk, keep_target, app) as target:
            session = Session(
                bootable=found.bootable,
                arch=found.arch,
                accelerator=accelerator,
                firmware=chosen,
                config=config,
                memory_mib=(memory or _memory(found.live, node)) // MIB,
                cpus=cpus,
                shares=bind_ro,
                ssh=ssh,
                console=_console(console, ssh, app),
                target=target,
                network=Network(network),
                overlay=node.overlay if node else None,
            )
            code = session.run(folder, app.events)
    click.get_current_context().exit(code)


def _check_ssh(console: str | None, network: str) -> None:
    if console == "-":
        raise click.UsageError("--ssh uses the terminal: give --console a file")
    if network == Network.OFF:
        raise click.UsageError("--ssh needs a network: do not give --network off")


def _memory(live: bool, node: NodeImage | None) -> int:
    """A live system has the node image in memory."""
    if not live:
        return _MEMORY
    return _LIVE_MEMORY + (-(-node.size // GIB) * GIB if node else 0)


def _console(console: str | None, ssh: str | None, app: App) -> Path | None:
    if console is not None and console != "-":
        return Path(console).absolute()
    return app.cache.folder("logs") / f"run-{os.getpid()}.console" if ssh is not None else None

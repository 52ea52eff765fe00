"""`bootimg run`: boot a disk image in QEMU."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

import click

from bootimg.arch import Arch
from bootimg.arches.row import Firmware
from bootimg.atomic import temporary_folder
from bootimg.builds.find import find_build
from bootimg.builds.layout import META
from bootimg.cli.options.common import accel_option, arch_option, builds_option, common, size_type
from bootimg.cli.output.session import App
from bootimg.formats.plainimage import is_packed, plain_image
from bootimg.kernelarg import parse_arguments
from bootimg.sizes import MIB
from bootimg.vm.diskimage import open_image
from bootimg.vm.ignition import read_config
from bootimg.vm.network import Network
from bootimg.vm.probe import choose_accelerator
from bootimg.vm.session import Session, Share

KEY = "qemu"
"""Key of the artifact in meta.json that is booted."""
EPILOG = """\
\b
Examples:
  bootimg run
  bootimg run --firmware uefi -i config.ign --ssh='systemctl status' disk.qcow2
"""


class BindType(click.ParamType[Share]):
    """SRC:DST, a folder of this machine and an absolute path in the guest."""

    name = "SRC:DST"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Share:  # noqa: ANN401
        """The folder and the path; a usage error where they are malformed."""
        source, _, path = str(value).rpartition(":")
        if not source or not path.startswith("/"):
            self.fail(f"{value!r} is not SRC:DST with an absolute DST", param, ctx)
        if not Path(source).is_dir():
            self.fail(f"{source} is not a folder", param, ctx)
        return Share(Path(source).absolute(), PurePosixPath(path))


@click.command("run", epilog=EPILOG)
@common
@click.argument("image", metavar="[BUILD|FILE]", required=False)
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
    "--memory", type=size_type, default="2G", show_default=True, metavar="SIZE", help="Memory of the machine."
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
@click.option("--write", is_flag=True, help="Let the guest change the disk; otherwise changes are dropped.")
@click.option(
    "--network",
    type=click.Choice([str(each) for each in Network]),
    default=str(Network.ON),
    show_default=True,
    help="What the guest reaches: other machines (on), nothing (off), also this machine's loopback (host).",
)
@arch_option
@accel_option
@builds_option
def command(
    *,
    app: App,
    image: str | None,
    builds: Path,
    arch: Arch,
    firmware: str | None,
    ignition: Path | None,
    memory: int,
    cpus: int | None,
    kargs: tuple[str, ...],
    bind_ro: tuple[Share, ...],
    ssh: str | None,
    console: str | None,
    write: bool,
    network: str,
) -> None:
    """Boot a disk image; by default the qemu image of the latest build.

    Without --write the disk is not changed.  A compressed disk is uncompressed for the run.  Ctrl-A X
    leaves the console.
    """
    words = parse_arguments(kargs, "--kargs")
    if words and write:
        raise click.UsageError("--kargs applies to one run, --write is permanent: give only one of them")
    if console == "-" and ssh is not None:
        raise click.UsageError("--ssh uses the terminal: give --console a file")
    if ssh is not None and network == Network.OFF:
        raise click.UsageError("--ssh needs a network: do not give --network off")
    given = _disk(image, builds, arch)
    if write and is_packed(given):
        raise click.UsageError(f"{given} is compressed, --write needs a plain file: uncompress it first")
    config = read_config(ignition) if ignition else None
    with (
        temporary_folder("bootimg-run-") as folder,
        plain_image(given, app.cache, app.events, _size(image, builds, arch)) as disk,
    ):
        opened = open_image(disk)
        if words:
            from bootimg.disk.kargsoverlay import overlay_with_kargs

            opened = overlay_with_kargs(disk, opened.format, words, folder)
        session = Session(
            disk=opened,
            arch=arch,
            accelerator=choose_accelerator(app.accel, app.cache, app.events, arch),
            firmware=Firmware(firmware) if firmware else None,
            config=config,
            memory_mib=memory // MIB,
            cpus=cpus,
            shares=bind_ro,
            ssh=ssh,
            console=_console(console, ssh, app),
            write=write,
            network=Network(network),
        )
        app.events.message(f"boot {given.name}   accel: {session.accelerator}")
        code = session.run(folder, app.events)
    click.get_current_context().exit(code)


def _disk(image: str | None, builds: Path, arch: Arch) -> Path:
    return _file(image) or find_build(builds, image or "latest", arch).artifact(KEY)


def _size(image: str | None, builds: Path, arch: Arch) -> int | None:
    """The uncompressed size of a build's image, if it is compressed."""
    if _file(image):
        return None
    return find_build(builds, image or "latest", arch).images[KEY].get("uncompressed-size")


def _file(image: str | None) -> Path | None:
    path = Path(image) if image else None
    if path is None or path.name == META:
        return None
    try:
        return path if path.is_file() or path.is_block_device() else None
    except OSError:
        # The name is too long, or its folder may not be read.
        return None


def _console(console: str | None, ssh: str | None, app: App) -> Path | None:
    if console is not None and console != "-":
        return Path(console).absolute()
    return app.cache.folder("logs") / f"run-{os.getpid()}.console" if ssh is not None else None

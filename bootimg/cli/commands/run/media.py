"""What `bootimg run` boots: a disk image, a live ISO, or the live files of a build."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from bootimg.arch import Arch
from bootimg.atomic import scratch_folder
from bootimg.builds.find import Build, find_build
from bootimg.builds.layout import LATEST, META
from bootimg.cli.commands.run.arch import arch_beside, arch_of_file, build_beside
from bootimg.cli.output.session import App
from bootimg.formats.plainimage import is_packed, plain_image
from bootimg.targets import LIVE
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limits import DEFAULT, Limits
from bootimg.vm.bootable import Bootable, BootableDisk
from bootimg.vm.diskimage import open_image
from bootimg.vm.image import is_iso
from bootimg.vm.imagetool import virtual_size

KEY = "qemu"
"""Key of the artifact in meta.json that is booted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the command line says: a file or a build (the latest by default), and how to boot it.

    Without `arch` the build or the file says it.
    """

    image: str | None
    builds: Path
    arch: Arch | None
    pxe: bool
    write: bool
    kargs: tuple[str, ...]
    limits: Limits = DEFAULT

    @property
    def file(self) -> Path | None:
        """The file, if it is one."""
        path = Path(self.image) if self.image else None
        if path is None or path.name == META:
            return None
        try:
            return path if path.is_file() or path.is_block_device() else None
        except OSError:
            # The name is too long, or its folder may not be read.
            return None

    @property
    def build(self) -> Build:
        """The build; `build-not-found`."""
        return find_build(self.builds, self.image or LATEST, self.arch)

    @property
    def disk(self) -> Path:
        """The file, or the disk image of the build: `artifact-missing`."""
        return self.file or self.build.artifact(KEY)

    @property
    def uncompressed_size(self) -> int | None:
        """That of a build's image, if it is compressed."""
        return None if self.file else self.build.images[KEY].get("uncompressed-size")


@dataclass(frozen=True, slots=True)
class Opened:
    """What is booted, and its name for people; `live` if it can install to another disk.

    `root` is the uncompressed file with the root file system, and `build` the build that it is of, if any.
    """

    name: str
    bootable: Bootable
    arch: Arch
    live: bool
    root: Path
    build: Build | None


@contextmanager
def opened(choice: Choice, app: App, folder: Path) -> Iterator[Opened]:
    """What to boot, checked; what is made for the run is in `folder`, large files in the cache."""
    if choice.pxe:
        with scratch_folder(app.cache.folder("tmp"), "run-") as scratch:
            yield _pxe(choice, scratch)
        return
    given = choice.disk
    if choice.write and is_packed(given):
        raise click.UsageError(f"{given} is compressed, --write needs a plain file: uncompress it first")
    budget = Budget(choice.limits)
    with plain_image(given, app.cache, app.events, budget, choice.uncompressed_size) as file:
        yield _iso(choice, given, file) if is_iso(file) else _disk(choice, given, file, folder, budget)


def _disk(choice: Choice, given: Path, file: Path, folder: Path, budget: Budget) -> Opened:
    image = open_image(file)
    # QEMU's own words would be the answer to a header that claims too much.
    virtual_size(image)
    if choice.kargs:
        from bootimg.disk.kargsoverlay import overlay_with_kargs

        image = overlay_with_kargs(file, image.format, choice.kargs, folder, budget)
    arch = choice.arch or arch_of_file(given, file, folder)
    disk = BootableDisk(image, choice.write)
    return Opened(given.name, disk, arch, live=False, root=file, build=build_beside(given))


def _iso(choice: Choice, given: Path, file: Path) -> Opened:
    from bootimg.live.booting.iso import BootableIso

    _refuse_write(choice)
    arch = choice.arch or arch_beside(given) or Arch.of_machine()
    iso = BootableIso.read(file, arch, choice.kargs, choice.limits)
    return Opened(given.name, iso, iso.arch, live=True, root=file, build=build_beside(given))


def _pxe(choice: Choice, scratch: Path) -> Opened:
    from bootimg.live.booting.pxe import BootablePxe

    _refuse_write(choice)
    if choice.file is not None:
        raise click.UsageError(f"--pxe boots the live files of a build, and {choice.file} is a file")
    build = choice.build
    kernel, initramfs, rootfs = (build.artifact(each.key) for each in LIVE.files[1:])
    files = BootablePxe(
        kernel=kernel, initramfs=initramfs, rootfs=rootfs, scratch=scratch, kargs=choice.kargs
    )
    name = f"{kernel.name}, {initramfs.name} and {rootfs.name}"
    return Opened(name, files, build.arch, live=True, root=rootfs, build=build)


def _refuse_write(choice: Choice) -> None:
    if choice.write:
        raise click.UsageError("--write is for disk images: live media are never changed")

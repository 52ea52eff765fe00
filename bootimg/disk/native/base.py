"""The whole base disk without a kernel: partition table, ESP, /boot, root file system.

The entries are those of `bootimg.sysroot`; the file systems have the recipe's options.  The same inputs
give the same bytes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bootimg.atomic import enough_space
from bootimg.cache import Cache
from bootimg.disk.aleph import ALEPH, COREOS_ALEPH, aleph_json
from bootimg.disk.base import BaseInputs, disk_gpt, refuse_unrealised
from bootimg.disk.bootloaders.choice import choose_bootloaders
from bootimg.disk.gpt import Gpt, write_gpt
from bootimg.disk.native.bootloader import bootloader_of
from bootimg.disk.native.esp import make_esp
from bootimg.disk.native.ext4 import make_ext4
from bootimg.disk.native.ext4fill import fill_ext4
from bootimg.disk.native.nodes import nodes
from bootimg.disk.native.obstacle import native_obstacle
from bootimg.disk.native.products.products import Products
from bootimg.disk.native.space import space_for_programs
from bootimg.disk.xfs.check import check_xfs
from bootimg.disk.xfs.fill import fill_xfs
from bootimg.disk.xfs.make import XfsOptions, make_xfs
from bootimg.disk.xfs.sparse import copy_data
from bootimg.errors import BootimgError
from bootimg.events import Events, Step
from bootimg.layer.declared.facts import selinux_policy
from bootimg.manifest.recipe import Ext4, Fat, Filesystem, Recipe, Sysroot, Xfs
from bootimg.sysroot.entries import Entry, content_bytes, symlink, text
from bootimg.sysroot.labels import LookUp, no_labels, policy_labels
from bootimg.sysroot.system import System, lay_out, open_system
from bootimg.sysroot.unsupported import NativeUnsupportedError
from bootimg.sysroot.wanted import Wanted

_FOR_THE_APPLIANCE = ("xfs-feature-unsupported", "xfs-file-unsupported")
"""The errors of the XFS writer for what a kernel can write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """A base disk that is ready to be written: its entries, and the recipe of its file systems."""

    recipe: Recipe
    gpt: Gpt
    system: System
    bootloader: Products


def open_native(inputs: BaseInputs, repo: Path) -> Wanted:
    """The system to lay out, as far as it is known without the bootloader.

    NativeUnsupportedError says why the appliance must make the disk.
    """
    recipe, arch = inputs.recipe, inputs.image.arch
    if (reason := native_obstacle(recipe, arch)) is not None:
        raise NativeUnsupportedError(reason)
    refuse_unrealised(recipe, choose_bootloaders(arch, inputs.tools) if recipe.bootloader else ())
    return open_system(recipe, repo, inputs.commit)


def prepare_native(inputs: BaseInputs, wanted: Wanted, made: Products | None, cache: Cache) -> Native:
    """Lay out the entries; nothing is written.

    `made` is what the layer's bootupd leaves, see `bootimg.disk.native.products.choice`.
    NativeUnsupportedError as in `open_native`.
    """
    bootloader = bootloader_of(inputs.recipe, inputs.tools, wanted.commit, made, wanted.now)
    system = lay_out(
        wanted,
        _look_up(inputs, cache),
        additions=_aleph(inputs, wanted.sysroot, wanted.now),
        bootloader=bootloader.boot,
    )
    gpt = disk_gpt(inputs.recipe.disk, inputs.image.digest)
    return Native(recipe=inputs.recipe, gpt=gpt, system=system, bootloader=bootloader)


def _look_up(inputs: BaseInputs, cache: Cache) -> LookUp:
    policy = selinux_policy(inputs.tree)
    return policy_labels(inputs.tree, policy, cache) if policy and inputs.recipe.labels else no_labels


def _aleph(inputs: BaseInputs, sysroot: Sysroot, now: int) -> Iterator[Entry]:
    image = inputs.image
    yield text(ALEPH, aleph_json(sysroot.deploy.target_imgref, image.config_digest, image.labels), now)
    if sysroot.aleph.coreos_compat:
        yield symlink(COREOS_ALEPH, ALEPH, now)


def write_native(native: Native, output: Path, events: Events) -> None:
    """Write the disk to a new sparse file, and check each of its file systems."""
    write_gpt(output, native.gpt)
    total = sum(map(content_bytes, (native.bootloader.esp, native.system.boot, native.system.root)))
    title = "writing the file systems"
    with enough_space(output.parent), events.step("filesystems", title, total=total) as step:
        _write_filesystems(native, output, step)
        if native.bootloader.code is not None:
            native.bootloader.code.place(output, native.gpt)


def _write_filesystems(native: Native, output: Path, step: Step) -> None:
    """Write the root file system, and meanwhile the others: other programs do most of the work for those."""
    roots = [each for each in native.recipe.filesystems if isinstance(each, Xfs)]
    others = [each for each in native.recipe.filesystems if not isinstance(each, Xfs)]
    with ThreadPoolExecutor(1, "filesystems") as thread:
        ended = thread.submit(_write_each, native, output, others, step)
        _write_each(native, output, roots, step)
        ended.result()


def _write_each(native: Native, output: Path, filesystems: Iterable[Filesystem], step: Step) -> None:
    for filesystem in filesystems:
        _write(native, output, filesystem, step)


def _write(native: Native, output: Path, filesystem: Filesystem, step: Step) -> None:
    epoch, sector_size = native.recipe.source_epoch, native.recipe.disk.sector_size
    match filesystem:
        case Xfs():
            with _unsupported(), space_for_programs(output.parent):
                _write_root(native, output, filesystem, step)
        case Ext4():
            with _partition(native, output, filesystem) as image:
                make_ext4(image, filesystem, sector_size=sector_size, epoch=epoch)
                fill_ext4(image, native.system.boot, epoch=epoch, dense=_has_zipl(native.recipe))
            step.advance(content_bytes(native.system.boot))
        case Fat():
            start = native.gpt.partition(filesystem.partition).start
            with _partition(native, output, filesystem) as image:
                make_esp(
                    image,
                    filesystem,
                    native.bootloader.esp,
                    start=start,
                    sector_size=sector_size,
                    epoch=epoch,
                )
            step.advance(content_bytes(native.bootloader.esp))


def _has_zipl(recipe: Recipe) -> bool:
    """Whether zipl is to find the files of /boot.

    Where blocks are larger than sectors, it takes the sector before a file's block for the end of a hole.
    """
    return any(disk.zipl for disk in recipe.platforms.values())


@contextmanager
def _unsupported() -> Iterator[None]:
    """Turn errors of the XFS writer that a kernel would not make into the signal for the appliance."""
    try:
        yield
    except BootimgError as error:
        if error.id not in _FOR_THE_APPLIANCE:
            raise
        raise NativeUnsupportedError(error.message) from error


def _write_root(native: Native, output: Path, xfs: Xfs, step: Step) -> None:
    offset, size = native.gpt.span(xfs.partition)
    groups = {} if xfs.agcount is None else {"group_count": xfs.agcount}
    options = XfsOptions(uuid=xfs.uuid, label=xfs.label, sector_size=native.recipe.disk.sector_size, **groups)
    make_xfs(output, size=size, options=options, offset=offset)
    now = native.recipe.source_epoch * 10**9
    filled = fill_xfs(output, nodes(native.system.root), now=now, offset=offset, advance=step.advance)
    check_xfs(output, size=size, offset=offset, metadata=filled.metadata)


@contextmanager
def _partition(native: Native, output: Path, filesystem: Filesystem) -> Iterator[Path]:
    """A file of the partition's size; what the body wrote to it is then copied to the disk."""
    offset, size = native.gpt.span(filesystem.partition)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
        image = Path(folder, "partition")
        with image.open("wb") as file:
            file.truncate(size)
        with space_for_programs(image.parent):
            yield image
        with image.open("rb") as source, output.open("r+b") as target:
            copy_data(source.fileno(), target.fileno(), (0, size), offset)

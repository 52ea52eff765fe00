"""The layer's own programs, which run in the appliance where this machine's are too old.

The archive and the image are drives of the virtual machine: neither has to fit into its memory, and nothing
is copied out of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg.appliance import Appliance, Drive
from bootimg.live.fsheader import read_header
from bootimg.live.fsoptions import FsType
from bootimg.live.programs.choice import require_version
from bootimg.live.programs.known import MAKERS, Maker
from bootimg.live.programs.program import Command
from bootimg.sizes import MIB, align_up

StartAppliance = Callable[[Sequence[Drive]], AbstractContextManager[Appliance]]
"""Starts the appliance on the layer's tree, with these drives."""

_ARCHIVE, _IMAGE, _TEMPORARY = "archive", "image", "temporary"
_PSEUDO, _FILES = "/run/bootimg-pseudo", "/run/bootimg-temporary"
# An image is hardly larger than the archive, even if nothing of it can be compressed.
_SPARE = 256 * MIB
# An emulated processor may compress less than 100 KB in a second.
_DEADLINE = 24 * 3600.0
_SHORT = 120.0
# sqfstar and mkfs.erofs read an archive from their standard input; the umask is that of `ThisMachines`.
_RUN = 'umask 022; exec "$@" <"$0"'
# mksquashfs fills the last of these in a file, but not on a device.
_PADDING = 4096


@dataclass(frozen=True, slots=True)
class OfLayer:
    """The programs of a layer; an exception from `meanwhile` ends the writing of the archive."""

    start: StartAppliance
    meanwhile: Callable[[], None] = lambda: None

    def write(self, command: Command, tar: Iterable[bytes], image: Path) -> None:
        """Make it in the appliance; `appliance-command-failed` and the errors of starting it."""
        maker = MAKERS[command.fstype]
        with TemporaryDirectory(dir=image.parent, prefix=f".{image.name}.") as folder:
            archive = Path(folder, "archive.tar")
            with archive.open("wb") as file:
                for piece in tar:
                    file.write(piece)
                    self.meanwhile()
            room = archive.stat().st_size + _SPARE
            drives = [Drive(_ARCHIVE, archive, readonly=True), Drive(_IMAGE, _sparse(image, room))]
            if maker.temporary_files:
                drives.append(Drive(_TEMPORARY, _sparse(Path(folder, "temporary"), room)))
            with self.start(drives) as vm:
                _make(vm, maker, command)
        _cut(image, command.fstype)


def _make(vm: Appliance, maker: Maker, command: Command) -> None:
    require_version(maker, _said(vm, [maker.name, maker.version_option]))
    if maker.temporary_files:
        device = vm.device(_TEMPORARY)
        for words in (["mkfs.ext4", "-q", "-F", device], ["mkdir", _FILES], ["mount", device, _FILES]):
            vm.run(words, timeout=_SHORT)
    words = [maker.name, *maker.for_device, *command.words, *_pseudo(vm, command), vm.device(_IMAGE)]
    vm.run(["sh", "-c", _RUN, vm.device(_ARCHIVE), *words], timeout=_DEADLINE, env=_environment(maker))


def _said(vm: Appliance, words: Sequence[str]) -> str:
    """What a program prints, whatever its exit code."""
    return vm.run(["sh", "-c", '"$@" 2>&1 || :', "sh", *words], timeout=_SHORT).decode(errors="replace")


def _pseudo(vm: Appliance, command: Command) -> Iterator[str]:
    if command.pseudo:
        vm.put(_PSEUDO, command.pseudo.encode())
        yield from ("-pf", _PSEUDO)


def _environment(maker: Maker) -> dict[str, str]:
    return {"TMPDIR": _FILES} if maker.temporary_files else {}


def _sparse(path: Path, size: int) -> Path:
    """An empty file of whole sectors."""
    with path.open("wb") as file:
        file.truncate(align_up(size, MIB))
    return path


def _cut(image: Path, fstype: FsType) -> None:
    """Cut the drive to the file that the program would have made."""
    with image.open("rb") as file:
        size = read_header(file, 0).size
    os.truncate(image, align_up(size, _PADDING) if fstype is FsType.SQUASHFS else size)

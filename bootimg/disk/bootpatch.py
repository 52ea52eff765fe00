"""The changes of a platform to a base disk: files of /boot, as a patch of partition 3.

Platforms differ only there, so one base disk serves all of them.  The files are edited in a sparse copy of
the partition, without root or a virtual machine.  The changed blocks are the patch.  The base disk is
only read.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bootimg.disk.ext4edit import DirectoryEdit, Ext4Image, FileEdit
from bootimg.disk.extents import FileSource, Source, copy_sparse, data_chunks, write_fully
from bootimg.errors import BootimgError
from bootimg.kernelarg import split
from bootimg.platform import Console
from bootimg.sizes import MIB

BLOCK = 4096
ENTRIES = "/loader/entries"
CONSOLE_CFG = "/grub2/console.cfg"
PLATFORMS_JSON = "/coreos/platforms.json"
FIRSTBOOT = "/ignition.firstboot"
CONSOLE_MARKERS = ("# CONSOLE-SETTINGS-START", "# CONSOLE-SETTINGS-END")
# Bytes of an entry that are not UTF-8 stay unchanged.
_BYTES = "surrogateescape"
IGNITION_PLATFORM = "ignition.platform.id="


@dataclass(frozen=True, slots=True)
class BootEdits:
    """What to change; None leaves a file unchanged.

    `kernel_arguments` are appended, in this order, to the options of every BLS entry.  The options must end
    with `replaced_arguments`, which are removed first: those of the other platform, if the disk was made from
    its image.  A file that exists keeps its SELinux label.  A new one gets `label`, by default its folder's.
    """

    kernel_arguments: tuple[str, ...] = ()
    console_commands: tuple[str, ...] | None = None
    platforms_json: bytes | None = None
    label: str | None = None
    replaced_arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Patch:
    """Blocks that replace those of the base disk: (offset on the disk, 4 KiB of content), in order."""

    blocks: tuple[tuple[int, bytes], ...] = ()

    @property
    def length(self) -> int:
        """How many bytes the patch replaces."""
        return sum(len(data) for _, data in self.blocks)

    def apply(self, disk: Path) -> None:
        """Write the blocks into a raw disk file."""
        fd = os.open(disk, os.O_WRONLY | os.O_CLOEXEC)
        try:
            for offset, data in self.blocks:
                write_fully(fd, data, offset)
        finally:
            os.close(fd)


@dataclass(frozen=True, slots=True)
class BootFiles:
    """The content of /boot: BLS entries by file name, and the files that differ by platform."""

    entries: Mapping[str, str] = field(default_factory=dict)
    console_cfg: str | None = None
    platforms_json: bytes | None = None
    firstboot: bytes | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """The kernel arguments of the first entry."""
        for text in self.entries.values():
            for line in text.splitlines():
                if _is_options(line):
                    return tuple(split(line)[1:])
        return ()


def platform_edits(
    ignition_id: str,
    console: Console,
    *,
    platforms_json: bytes | None,
    extra_kargs: Sequence[str] = (),
    label: str | None = None,
    replaces: Sequence[str] = (),
) -> BootEdits:
    """The edits that make a platform's disk, in the order of osbuild's org.osbuild.coreos.platform."""
    arguments = (*platform_arguments(ignition_id, console), *extra_kargs)
    return BootEdits(arguments, tuple(console.grub_commands), platforms_json, label, tuple(replaces))


def platform_arguments(ignition_id: str, console: Console) -> tuple[str, ...]:
    """The kernel arguments that a platform's disk has and the base disk has not."""
    return (f"{IGNITION_PLATFORM}{ignition_id}", *console.kernel_arguments)


def console_cfg(commands: Sequence[str]) -> str:
    """GRUB's console.cfg; coreos-installer needs a line before the START marker, which may be empty."""
    body = "\n".join(commands)
    start, end = CONSOLE_MARKERS
    return f"\n{start}\n{body}\n{end}\n"


def append_options(entry: str, arguments: Sequence[str]) -> str:
    """A BLS entry with arguments appended to its options lines."""
    if not arguments:
        return entry
    lines = entry.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if _is_options(line):
            lines[number] = " ".join([line.rstrip(), *arguments]) + "\n"
    return "".join(lines)


def remove_options(entry: str, arguments: Sequence[str]) -> str:
    """A BLS entry without these arguments; `boot-entry-changed` if its options do not end with them."""
    if not arguments:
        return entry
    lines = entry.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if _is_options(line):
            words = split(line.strip())
            if tuple(words[-len(arguments) :]) != tuple(arguments):
                raise BootimgError(
                    "boot-entry-changed",
                    "the disk's boot loader entry does not end with its platform's kernel arguments",
                    context=[f"expected at the end: {' '.join(arguments)}", line.strip()[-200:]],
                    hint="the disk was changed after it was made: build from the layer",
                )
            lines[number] = " ".join(words[: -len(arguments)]) + "\n"
    return "".join(lines)


def make_patch(source: Source, start: int, length: int, edits: BootEdits, *, scratch: Path) -> Patch:
    """The patch that makes `edits` on the boot partition at `start`, `length` bytes long.

    Errors: `boot-partition-unreadable`, `boot-entry-missing`, `boot-edit-failed` if an edit reads back
    differently, `boot-filesystem-damaged` if e2fsck reports a problem afterwards.
    """
    with _partition_copy(source, start, length, scratch) as image:
        planned = _plan(image, edits)
        if not planned:
            return Patch()
        image.apply(planned)
        image.check_clean()
        with FileSource(image.path) as edited:
            return Patch(tuple(_changed_blocks(source, edited, start)))


def read_boot_files(source: Source, start: int, length: int, *, scratch: Path) -> BootFiles:
    """Read the boot partition's entries and platform files."""
    with _partition_copy(source, start, length, scratch) as image:
        console = image.content(CONSOLE_CFG)
        return BootFiles(
            _entries(image),
            None if console is None else console.decode(errors="replace"),
            image.content(PLATFORMS_JSON),
            image.content(FIRSTBOOT),
        )


def _plan(image: Ext4Image, edits: BootEdits) -> list[FileEdit | DirectoryEdit]:
    planned: list[FileEdit | DirectoryEdit] = []
    if edits.kernel_arguments:
        entries = _entries(image)
        if not any(_is_options(line) for text in entries.values() for line in text.splitlines()):
            raise BootimgError(
                "boot-entry-missing",
                "the boot partition has no boot loader entry with options",
                hint="`bootimg inspect` shows what is there; build the base disk again with --force",
            )
        for name, text in entries.items():
            bare = remove_options(text, edits.replaced_arguments)
            content = append_options(bare, edits.kernel_arguments).encode(errors=_BYTES)
            planned.append(_file(image, f"{ENTRIES}/{name}", content, edits.label))
    if edits.console_commands is not None and image.inode("/grub2") is not None:
        content = console_cfg(edits.console_commands).encode()
        planned.append(_file(image, CONSOLE_CFG, content, edits.label))
    if edits.platforms_json is not None:
        if image.inode("/coreos") is None:
            planned.append(DirectoryEdit("/coreos", edits.label or image.label("/")))
        planned.append(_file(image, PLATFORMS_JSON, edits.platforms_json, edits.label))
    return planned


def _file(image: Ext4Image, path: str, content: bytes, label: str | None) -> FileEdit:
    folder = path.rpartition("/")[0]
    if image.inode(path) is not None:
        return FileEdit(path, content, image.label(path))
    return FileEdit(path, content, label or image.label(folder) or image.label("/"))


def _entries(image: Ext4Image) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, inode in sorted(image.listing(ENTRIES).items()):
        if inode.is_file and name.endswith(".conf"):
            found[name] = (image.content(f"{ENTRIES}/{name}") or b"").decode(errors=_BYTES)
    return found


def _is_options(line: str) -> bool:
    return line.startswith(("options ", "options\t"))


@contextmanager
def _partition_copy(source: Source, start: int, length: int, scratch: Path) -> Iterator[Ext4Image]:
    with tempfile.TemporaryDirectory(prefix="boot-", dir=scratch) as folder:
        image = Ext4Image(Path(folder) / "partition")
        copy_sparse(source, image.path, offset=start, length=length)
        image.check_usable()
        yield image


def _changed_blocks(source: Source, edited: Source, start: int) -> Iterator[tuple[int, bytes]]:
    """Blocks of the edited partition that differ from the base disk's.

    The copy has data wherever the base has non-zero data, so its holes need not be compared.
    """
    for offset, amount in data_chunks(edited, 0, edited.size, MIB):
        new, old = edited.read(offset, amount), source.read(start + offset, amount)
        if new != old:
            for at in range(0, amount, BLOCK):
                if new[at : at + BLOCK] != old[at : at + BLOCK]:
                    yield start + offset + at, new[at : at + BLOCK]

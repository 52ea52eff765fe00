"""The changes of a platform to a base disk: files of /boot, as a patch of partition 3.

Platforms differ only there, so one base disk serves all of them.  The files are edited in a sparse copy of
the partition, without root or a virtual machine.  The changed blocks are the patch.  The base disk is
only read.  A bootloader that has the kernel arguments in its own records (zipl) is part of the patch, with
the record in the disk's first block.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bootimg.disk.blsentry import append_options, options_of, remove_options, require_alike
from bootimg.disk.ext4edit import DirectoryEdit, Ext4Image, FileEdit, Found, oversized
from bootimg.disk.extents import FileSource, Source, copy_sparse, data_chunks, write_fully
from bootimg.errors import BootimgError
from bootimg.platform import Console
from bootimg.sizes import MIB
from bootimg.untrusted.budget import Budget

BLOCK = 4096
ENTRIES = "/loader/entries"
CONSOLE_CFG = "/grub2/console.cfg"
PLATFORMS_JSON = "/coreos/platforms.json"
FIRSTBOOT = "/ignition.firstboot"
CONSOLE_MARKERS = ("# CONSOLE-SETTINGS-START", "# CONSOLE-SETTINGS-END")
# Bytes of an entry that are not UTF-8 stay unchanged.
_BYTES = "surrogateescape"
_MOST_ENTRIES = 100
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
        found = (options_of(text) for text in self.entries.values())
        return next((options for options in found if options is not None), ())


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


class BootRecord(Protocol):
    """A bootloader that is made from the files of /boot."""

    def install(self, image: Ext4Image, start: int) -> bytes:
        """Write its files to the boot partition, which is at `start` of the disk, in bytes.

        Returns the beginning of the disk's first sector, before the partition table of its MBR.
        """
        ...


def make_patch(
    source: Source,
    start: int,
    length: int,
    edits: BootEdits,
    *,
    scratch: Path,
    record: BootRecord | None = None,
    budget: Budget | None = None,
) -> Patch:
    """The patch that makes `edits` on the boot partition at `start`, `length` bytes long, then the `record`.

    Errors: `boot-partition-unreadable`, `boot-partition-oversized`, `boot-entry-missing`,
    `boot-entry-malformed`, `boot-edit-failed` if an edit reads back differently, `boot-filesystem-damaged` if
    e2fsck reports a problem afterwards, and those of the record.
    """
    with partition_copy(source, start, length, scratch, budget) as image:
        planned = _plan(image, edits)
        if not planned and record is None:
            return Patch()
        if planned:
            image.apply(planned)
        first = b"" if record is None else record.install(image, start)
        image.check_clean()
        with FileSource(image.path) as edited:
            return Patch((*_first_block(source, first), *_changed_blocks(source, edited, start)))


def read_boot_files(
    source: Source, start: int, length: int, *, scratch: Path, budget: Budget | None = None
) -> BootFiles:
    """Read the boot partition's entries and platform files.

    Errors: `boot-partition-unreadable`, `boot-partition-oversized`, `boot-filesystem-damaged`,
    `image-over-budget`.
    """
    with partition_copy(source, start, length, scratch, budget) as image:
        entries = _entry_paths(image)
        found = image.read([*entries, CONSOLE_CFG, PLATFORMS_JSON, FIRSTBOOT])
        console = found[CONSOLE_CFG].content
        return BootFiles(
            {path.rpartition("/")[2]: _text(found[path]) for path in entries},
            None if console is None else console.decode(errors="replace"),
            found[PLATFORMS_JSON].content,
            found[FIRSTBOOT].content,
        )


def _plan(image: Ext4Image, edits: BootEdits) -> list[FileEdit | DirectoryEdit]:
    entries = _entry_paths(image) if edits.kernel_arguments else []
    found = image.read([*entries, "/", "/grub2", CONSOLE_CFG, "/coreos", PLATFORMS_JSON])
    planned: list[FileEdit | DirectoryEdit] = []
    if edits.kernel_arguments:
        planned += _entry_edits({path: found[path] for path in entries}, edits)
    if edits.console_commands is not None and found["/grub2"].inode is not None:
        content = console_cfg(edits.console_commands).encode()
        planned.append(_file(found, CONSOLE_CFG, content, edits.label))
    if edits.platforms_json is not None:
        if found["/coreos"].inode is None:
            planned.append(DirectoryEdit("/coreos", edits.label or found["/"].label))
        planned.append(_file(found, PLATFORMS_JSON, edits.platforms_json, edits.label))
    return planned


def _entry_edits(entries: Mapping[str, Found], edits: BootEdits) -> Iterator[FileEdit]:
    texts = {path: _text(found) for path, found in entries.items()}
    if all(options_of(text) is None for text in texts.values()):
        raise BootimgError(
            "boot-entry-missing",
            "the boot partition has no boot loader entry with options",
            hint="`bootimg inspect` shows what is there; build the base disk again with --force",
        )
    for path, text in texts.items():
        require_alike(path, text)
        bare = remove_options(text, edits.replaced_arguments)
        content = append_options(bare, edits.kernel_arguments).encode(errors=_BYTES)
        yield _file(entries, path, content, edits.label)


def _file(found: Mapping[str, Found], path: str, content: bytes, label: str | None) -> FileEdit:
    if found[path].inode is not None:
        return FileEdit(path, content, found[path].label)
    folder = path.rpartition("/")[0]
    return FileEdit(path, content, label or found[folder].label or found["/"].label)


def _entry_paths(image: Ext4Image) -> list[str]:
    """The entries of /boot, at most `_MOST_ENTRIES`."""
    listed = sorted(image.listing(ENTRIES).items())
    found = [f"{ENTRIES}/{name}" for name, inode in listed if inode.is_file and name.endswith(".conf")]
    if len(found) > _MOST_ENTRIES:
        raise oversized(f"{ENTRIES} has {len(found)} boot loader entries; a system has one or two")
    return found


def _text(found: Found) -> str:
    return (found.content or b"").decode(errors=_BYTES)


@contextmanager
def partition_copy(
    source: Source, start: int, length: int, scratch: Path, budget: Budget | None = None
) -> Iterator[Ext4Image]:
    """A sparse copy of the boot partition; `boot-partition-unreadable` if it is no ext4."""
    with tempfile.TemporaryDirectory(prefix="boot-", dir=scratch) as folder:
        image = Ext4Image(Path(folder) / "partition", budget or Budget())
        copy_sparse(source, image.path, offset=start, length=length)
        image.check_usable()
        yield image


def _first_block(source: Source, beginning: bytes) -> Iterator[tuple[int, bytes]]:
    if beginning:
        yield 0, beginning + source.read(len(beginning), BLOCK - len(beginning))


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

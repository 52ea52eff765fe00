"""The content of the file /bootmap, in the order in which zipl writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from bootimg.disk.zipl.addresses import choose_addresses
from bootimg.disk.zipl.format import (
    ENVIRONMENT,
    HEAP,
    HEAP_SIZE,
    LOAD_ADDRESS,
    PARAMETERS,
    STACK,
    STACK_SIZE,
    STAGE3,
    Component,
    Loaded,
    Run,
    boot_record,
    bootmap_header,
    component_table,
    joined,
    parameters,
    pointer,
    program_table,
    segment_tables,
)
from bootimg.sizes import align_up


@dataclass(frozen=True, slots=True)
class BootFile:
    """A file of the boot partition: its size, and its sectors in order, a hole's with the number 0.

    A hole at the end may be left out.  `loaded` is the number of bytes to load: not a final signature.
    """

    size: int
    loaded: int
    runs: Sequence[Run]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is to be started; `arguments` are the kernel's, without the zero at their end.

    A kernel that has both in itself, such as an image for Secure Execution, has neither here.
    """

    stage3: bytes
    kernel: BootFile
    initramfs: BootFile | None = None
    arguments: bytes | None = None


@dataclass(frozen=True, slots=True)
class Bootmap:
    """The file's content, and the record for the disk's first sector."""

    content: bytes
    record: bytes


@dataclass(frozen=True, slots=True)
class Geometry:
    """Sizes in bytes of the disk's sectors and of the file system's blocks."""

    sector: int
    block: int


Locate = Callable[[int], int]
"""The sector of the disk for an offset in the bootmap that is a multiple of the sector size."""


def make_bootmap(program: Program, geometry: Geometry, locate: Locate) -> Bootmap:
    """The bootmap of a program; its length does not depend on `locate`.  ValueError if it does not fit."""
    sector = geometry.sector
    writer = _Writer(geometry, locate)
    initramfs, arguments = program.initramfs, program.arguments
    addresses = choose_addresses(
        program.kernel.size,
        None if initramfs is None else initramfs.size,
        geometry.block,
        arguments=arguments is not None,
    )
    words = parameters(
        Loaded(LOAD_ADDRESS, program.kernel.size),
        addresses.arguments,
        Loaded(addresses.initramfs, 0 if initramfs is None else initramfs.size),
        Loaded(addresses.environment, geometry.block),
    )
    components = [
        writer.data(HEAP, bytes(HEAP_SIZE)),
        writer.data(STACK, bytes(STACK_SIZE)),
        writer.data(STAGE3, program.stage3),
        writer.data(PARAMETERS, words),
        writer.file(LOAD_ADDRESS, program.kernel),
    ]
    if arguments is not None:
        components.append(writer.data(addresses.arguments, arguments + b"\0"))
    if initramfs is not None:
        components.append(writer.file(addresses.initramfs, initramfs))
    # zipl-editenv writes it in place: it may not lie in two blocks of the file system.
    writer.align(geometry.block)
    environment = len(writer.content)
    components.append(writer.data(addresses.environment, ENVIRONMENT.ljust(geometry.block, b"\0")))
    table = writer.put(component_table(components, sector))
    programs = writer.put(program_table(table, sector))
    writer.content[:sector] = bootmap_header(environment).ljust(sector, b"\0")
    return Bootmap(bytes(writer.content), boot_record(programs, sector))


@dataclass
class _Writer:
    """The file so far: its header, and a sector of zeros that stands for the holes of files."""

    geometry: Geometry
    locate: Locate
    content: bytearray = field(init=False)

    def __post_init__(self) -> None:
        self.content = bytearray(2 * self.geometry.sector)

    def align(self, size: int) -> None:
        """Fill up with zeros to a multiple of `size`."""
        self.content += bytes(align_up(len(self.content), size) - len(self.content))

    def put(self, data: bytes) -> Run:
        """Append at most a sector; returns where it is."""
        self.align(self.geometry.sector)
        sector = self.locate(len(self.content))
        self.content += data
        return Run(sector, 1)

    def data(self, address: int, data: bytes) -> Component:
        """A component whose content becomes part of the file."""
        size = self.geometry.sector
        runs = [self.put(data[at : at + size]) for at in range(0, len(data), size)]
        return self._component(address, joined(runs))

    def file(self, address: int, file: BootFile) -> Component:
        """A component that is a file of the same file system."""
        return self._component(address, self._sectors(file))

    def _sectors(self, file: BootFile) -> Iterator[Run]:
        zeros = Run(self.locate(self.geometry.sector), 1)
        for run in joined(self._loaded(file)):
            # A hole takes a pointer for each of its sectors.
            yield from [run] if run.sector else [zeros] * run.count

    def _loaded(self, file: BootFile) -> Iterator[Run]:
        left = -(-file.loaded // self.geometry.sector)
        for run in (*file.runs, Run(0, left)):
            yield Run(run.sector, min(run.count, left))
            left -= min(run.count, left)

    def _component(self, address: int, runs: Iterable[Run]) -> Component:
        """Write the segment tables, the last one first: each but the last ends with a pointer to the next."""
        following = bytes(len(pointer(Run(0, 1), 0)))
        tables = list(segment_tables(runs, self.geometry.sector))
        for table in reversed(tables):
            here = self.put(table + following)
            following = pointer(here, self.geometry.sector)
        return Component(address, here)

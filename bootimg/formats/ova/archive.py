"""OVAs: a descriptor and a disk in one tar, the descriptor first (DMTF DSP0243, "Distribution")."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from bootimg.atomic import enough_space
from bootimg.disk.extents import Source
from bootimg.events import Step
from bootimg.formats.compression.writer import Compressor, Packing, open_output
from bootimg.formats.output import DigestingFile, ReadingProgress, Sink, Written, data_length
from bootimg.formats.ova import appliances
from bootimg.formats.ova.ovf import Disk, Product
from bootimg.formats.sparsetar import end, write_sparse
from bootimg.formats.vmdk import capacity_of, check_options, write_stream
from bootimg.ovf import PowerVolume
from bootimg.sizes import MIB
from bootimg.tarstream import Dialect, file_member, header, padding

DESCRIPTOR = "coreos.ovf"
META = "coreos.meta"
VMDK = "disk.vmdk"


def write_ova(
    source: Source,
    out: Path,
    describe: Callable[[Disk], bytes],
    options: Mapping[str, str | bool],
    step: Step | None = None,
    packing: Packing | None = None,
) -> Written:
    """An OVA with a streamOptimized VMDK: an ustar of `coreos.ovf` and `disk.vmdk`.

    `describe` makes the descriptor once the VMDK's size is known; `options` are those of the VMDK.  The
    VMDK waits in a file without a name, and is read once more from there.
    """
    check_options(options)
    packing, total = packing or Packing(), data_length(source)
    with enough_space(out.parent, total), tempfile.TemporaryFile(dir=out.parent) as spool:
        with DigestingFile(spool) as file:
            write_stream(source, file, options, packing.threads, ReadingProgress(step, total))
        return wrap_vmdk(spool, out, describe, packing)


def wrap_vmdk(
    vmdk: BinaryIO, out: Path, describe: Callable[[Disk], bytes], packing: Packing | None = None
) -> Written:
    """The same OVA around a streamOptimized VMDK that is there."""
    disk = Disk(file=VMDK, size=vmdk.seek(0, os.SEEK_END), capacity=capacity_of(vmdk))
    with open_output(out, packing or Packing(), disk.size) as sink:
        sink.write(file_member(DESCRIPTOR, describe(disk)))
        sink.write(header(VMDK, disk.size))
        copy_file(vmdk, sink)
        sink.write(padding(disk.size))
        end(sink)
        return sink.finish(out)


def copy_file(file: BinaryIO, sink: Sink) -> None:
    """All of a file."""
    file.seek(0)
    while data := file.read(MIB):
        sink.write(data)


def write_power_volume(
    source: Source,
    out: Path,
    description: PowerVolume,
    product: Product,
    disk_name: str,
    step: Step | None = None,
    packing: Packing | None = None,
) -> Written:
    """An `.ova.gz`: descriptor, meta file and the raw disk, sparse, in a gzipped tar; one pass."""
    disk = Disk(file=disk_name, size=source.size, capacity=source.size)
    threads = (packing or Packing()).threads
    with open_output(out, Packing(Compressor.GZIP, threads)) as sink:
        text = appliances.power_volume(description, disk, product)
        sink.write(file_member(DESCRIPTOR, text, Dialect.OLD_GNU))
        sink.write(file_member(META, appliances.power_volume_meta(description, disk), Dialect.OLD_GNU))
        write_sparse(sink, disk_name, source, ReadingProgress(step, data_length(source)))
        end(sink)
        return sink.finish(out)

"""Disk formats: streaming writers that read a source once and hash their output."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from bootimg.disk.extents import Source
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Step
from bootimg.formats.compression.writer import Compressor, Packing
from bootimg.formats.gcptar import write_gcp
from bootimg.formats.output import Written, data_length
from bootimg.formats.qcow2.packed import write_qcow2
from bootimg.formats.raw import write_raw
from bootimg.formats.vhdx import write_vhdx
from bootimg.formats.vmdk import write_vmdk
from bootimg.formats.vpc import write_vpc

__all__ = ["WRITERS", "Compressor", "Packing", "Written", "data_length", "write"]


class Writer(Protocol):
    """Writes `source` to `out` atomically."""

    def __call__(
        self,
        source: Source,
        out: Path,
        options: Mapping[str, str | bool],
        step: Step | None,
        packing: Packing | None = None,
    ) -> Written:
        """Write it; advances `step` by bytes of the source's data, `data_length(source)` in total.

        With a compressor in `packing` (default: no compressor, a thread for each processor) the bytes are
        compressed in the same pass, and `out` is the compressed file.
        """


WRITERS: Mapping[str, Writer] = {
    "gcp": write_gcp,
    "qcow2": write_qcow2,
    "raw": write_raw,
    "vhdx": write_vhdx,
    "vmdk": write_vmdk,
    "vpc": write_vpc,
}


def write(
    disk_format: str,
    source: Source,
    out: Path,
    options: Mapping[str, str | bool],
    step: Step | None = None,
    packing: Packing | None = None,
) -> Written:
    """Write a disk in a platform's `disk_format` with its `format_options`."""
    writer = WRITERS.get(disk_format)
    if writer is None:
        raise BootimgError(
            "disk-format-unsupported",
            f"bootimg cannot write the disk format {disk_format}",
            hint=f"it writes {', '.join(WRITERS)}",
            exit_code=ExitCode.USAGE,
        )
    return writer(source, out, options, step, packing)

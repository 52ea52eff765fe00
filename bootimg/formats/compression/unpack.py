"""Uncompresses a file to a sparse file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bootimg.disk.extents import is_zero
from bootimg.errors import BootimgError
from bootimg.events import Step
from bootimg.formats.compression.decompress import PlainReader
from bootimg.formats.compression.writer import Compressor, Packing, open_output
from bootimg.formats.output import Written
from bootimg.sizes import KIB
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limits import DEFAULT, Limits
from bootimg.vm.diskimage import refuse_references

# Well compressed input gives many MiB at a time, with zeros and data mixed.
_PIECE = 256 * KIB


def unpack(
    path: Path,
    out: Path,
    *,
    check: Callable[[Written], None] = lambda found: None,
    step: Step | None = None,
    need: int | None = None,
    limits: Limits = DEFAULT,
) -> Written:
    """Write the uncompressed content of the file (compressed or not) to `out`; zeros become holes.

    `check` gets the sizes and digests before `out` has its name, and may raise.  `step` is advanced by the
    file's bytes.  `need` is the output's size in bytes: `no-space-left` if there is no room for it, and
    `compressed-file-damaged` for content beyond it.  An image that names another file is
    `image-references-other-file`, and `out` is removed.  Raises `image-over-budget`.
    """
    budget, where = Budget(limits), str(path)
    with PlainReader(path) as reader, open_output(out, Packing(), need) as sink:
        if reader.compressor is not Compressor.NONE:
            budget.pack(path.stat().st_size, where)
        for data in pieces(_bounded(path, reader, need)):
            empty = is_zero(data)
            if reader.compressor is not Compressor.NONE:
                charge = budget.hole if empty else budget.unpack
                charge(len(data), where)
            if empty:
                sink.skip(len(data))
            else:
                sink.write(data)
        found = reader.written()
        check(found)
        if step is not None:
            step.advance(found.size)
        written = sink.finish(out)
    try:
        refuse_references(out)
    except BootimgError:
        out.unlink()
        raise
    return written


def _bounded(path: Path, chunks: Iterable[bytes], most: int | None) -> Iterator[bytes]:
    done = 0
    for chunk in chunks:
        done += len(chunk)
        if most is not None and done > most:
            raise BootimgError(
                "compressed-file-damaged",
                f"{path} has more content than the {most} bytes that are known of it",
                hint="download or build the file again",
            )
        yield chunk


def pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that are small enough to be zeros alone where a disk has free space."""
    for chunk in chunks:
        for at in range(0, len(chunk), _PIECE):
            yield chunk[at : at + _PIECE]

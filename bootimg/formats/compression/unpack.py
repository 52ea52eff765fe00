"""A compressed file's content as a sparse file of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bootimg.disk.extents import is_zero
from bootimg.errors import BootimgError
from bootimg.events import Step
from bootimg.formats.compression.decompress import PlainReader
from bootimg.formats.compression.writer import Packing, open_output
from bootimg.formats.output import Written
from bootimg.sizes import KIB
from bootimg.vm.diskimage import refuse_references

# What is compressed well comes many MiB at a time, with zeros and data in it.
_PIECE = 256 * KIB


def unpack(
    path: Path,
    out: Path,
    *,
    check: Callable[[Written], None] = lambda found: None,
    step: Step | None = None,
    need: int | None = None,
) -> Written:
    """Write what the file holds to `out`, or the file itself where it is not compressed; zeros are holes.

    `check` gets what was read before `out` has its name, and may raise.  `step` is advanced by the bytes of
    the file; `need` is how many will be written, for the error `no-space-left`.  An image that names another
    file is `image-references-other-file`, and `out` is removed.
    """
    with PlainReader(path) as reader, open_output(out, Packing(), need) as sink:
        for data in _pieces(reader):
            if is_zero(data):
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


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for at in range(0, len(chunk), _PIECE):
            yield chunk[at : at + _PIECE]

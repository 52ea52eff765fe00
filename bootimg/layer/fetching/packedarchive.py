"""OCI archives that are compressed as a whole.  skopeo reads them but does not write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from bootimg.atomic import enough_space, require_space
from bootimg.errors import BootimgError
from bootimg.layer.image.blobs import CHUNK
from bootimg.layer.tar.decompress import ERRORS, HEAD, Compression, Reader, compression_of, plain_reader
from bootimg.layer.tar.tarformat import first_path
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.files import open_regular

_FIRST = ("", "blobs", "oci-layout", "index.json")
_BEGINNING = 64 << 10


def is_packed_archive(path: Path) -> bool:
    """Whether a file is a compressed tar whose first member is one of an OCI layout."""
    try:
        with _reading(path) as (reader, compression):
            name = first_path(reader.read(_BEGINNING)) if compression is not Compression.NONE else None
    except ERRORS:
        # Damaged at its beginning: the code that reads the whole file reports it.
        return False
    return name is not None and name.partition("/")[0] in _FIRST


Scratch = Callable[[], AbstractContextManager[Path]]
"""Makes a temporary folder, and removes it at the end."""


@contextmanager
def plain_archive(path: Path, scratch: Scratch, budget: Budget) -> Iterator[Path]:
    """The archive itself, or a decompressed copy of it in a folder that `scratch` makes for it.

    Errors: `compressed-file-damaged`, `image-over-budget`, `no-space-left`, `file-not-regular`.
    """
    with _reading(path) as (reader, compression):
        if compression is Compression.NONE:
            yield path
            return
        with scratch() as folder:
            _unpack(path, reader, folder / "archive", budget)
            yield folder / "archive"


@contextmanager
def _reading(path: Path) -> Iterator[tuple[Reader, Compression]]:
    with open_regular(path) as handle:
        compression = compression_of(handle.read(HEAD))
        handle.seek(0)
        yield plain_reader(handle, compression), compression


def _unpack(path: Path, reader: Reader, plain: Path, budget: Budget) -> None:
    packed = path.stat().st_size
    budget.pack(packed, str(path))
    require_space(plain.parent, packed)
    with enough_space(plain.parent), plain.open("xb") as output:
        while chunk := _read(path, reader):
            budget.unpack(len(chunk), str(path))
            output.write(chunk)


def _read(path: Path, reader: Reader) -> bytes:
    try:
        return reader.read(CHUNK)
    except ERRORS as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise BootimgError(
            "compressed-file-damaged",
            f"{path} cannot be decompressed: {error}",
            hint="get or build the file again",
        ) from None

"""Finds the data for a minimal ISO on its full ISO."""

from __future__ import annotations

from bootimg.disk.extents import is_zero
from bootimg.errors import BootimgError, ExitCode
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.infofiles import MINISO
from bootimg.live.miniso.fileformat import LARGEST, Miniso, decode_miniso


def find_miniso(image: IsoImage) -> Miniso:
    """The content of coreos/miniso.dat.

    Raises `iso-minimal-unsupported` if there is none, and the errors of `decode_miniso`.
    """
    record = image.find(MINISO)
    data = b"" if record is None or record.folder else image.read(record.offset, min(record.length, LARGEST))
    if is_zero(data):
        raise BootimgError(
            "iso-minimal-unsupported",
            "the ISO has no data from which a minimal ISO can be made",
            hint="take the live ISO of a newer release",
            exit_code=ExitCode.USAGE,
        )
    with image.budget.working():
        return decode_miniso(data)

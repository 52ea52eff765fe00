"""An XFS made and filled without a kernel, a mount or a privilege."""

from __future__ import annotations

from bootimg.disk.xfs.check import check_xfs
from bootimg.disk.xfs.fill import Filled, fill_xfs
from bootimg.disk.xfs.make import XfsOptions, make_xfs

__all__ = ["Filled", "XfsOptions", "check_xfs", "fill_xfs", "make_xfs"]

"""The values of the options of `bootimg run`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import click

from bootimg.sizes import MIB, parse_size
from bootimg.vm.session import Share

SECTOR_SIZES = ("512", "4096")


class BindType(click.ParamType[Share]):
    """SRC:DST, a folder of this machine and an absolute path in the guest."""

    name = "SRC:DST"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Share:  # noqa: ANN401
        """The folder and the path; a usage error where they are malformed."""
        source, _, path = str(value).rpartition(":")
        if not source or not path.startswith("/"):
            self.fail(f"{value!r} is not SRC:DST with an absolute DST", param, ctx)
        if not Path(source).is_dir():
            self.fail(f"{source} is not a folder", param, ctx)
        return Share(Path(source).absolute(), PurePosixPath(path))


@dataclass(frozen=True, slots=True)
class TargetSize:
    """The size of a disk and of its sectors, in bytes."""

    size: int
    sector_size: int


class TargetType(click.ParamType[TargetSize]):
    """SIZE or SIZE:SECTOR, such as 10G or 10G:4096."""

    name = "SIZE[:SECTOR]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> TargetSize:  # noqa: ANN401
        """The sizes: `size-malformed`, or a usage error for sectors that no disk has."""
        if isinstance(value, TargetSize):
            return value
        text, _, sector = str(value).partition(":")
        size = parse_size(text)
        if (sector or "512") not in SECTOR_SIZES:
            self.fail(f"sectors have {' or '.join(SECTOR_SIZES)} bytes, not {sector!r:.80}", param, ctx)
        if size < MIB or size % MIB:
            self.fail(f"{text} is not a number of whole MiB", param, ctx)
        return TargetSize(size, int(sector or 512))

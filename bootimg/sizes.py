"""Sizes and durations as people write them: `10G`, `512M` (binary units), `90s`, `30d`."""

from __future__ import annotations

import re

from bootimg.errors import BootimgError, ExitCode

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
LARGEST = (1 << 63) - MIB
"""The most bytes that Linux can address in a file, in whole MiB."""
_SIZE = {"": 1, "K": KIB, "M": MIB, "G": GIB, "T": TIB}
_TIME = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_size(text: str) -> int:
    """The bytes of `10G`, `512M`, `4096`; also `10GiB`."""
    match = re.fullmatch(r"([0-9]{1,18})\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    size = int(match[1]) * _SIZE[match[2].upper()] if match else None
    if size is None or size > LARGEST:
        raise BootimgError(
            "size-malformed",
            f"{text!r:.80} is not a size" if size is None else f"{text!r:.80} is larger than any file can be",
            hint="write it as 10G or 512M (binary units)",
            exit_code=ExitCode.USAGE,
        )
    return size


def parse_duration(text: str) -> int:
    """The seconds of `90s`, `5m`, `2h`, `30d`."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text.strip())
    if not match:
        raise BootimgError(
            "duration-malformed",
            f"{text!r:.80} is not a duration",
            hint="write it as 90s, 5m, 2h or 30d",
            exit_code=ExitCode.USAGE,
        )
    return int(match[1]) * _TIME[match[2]]


def format_size(size: int) -> str:
    """A size for people: three digits and a binary unit."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def align_up(value: int, alignment: int) -> int:
    """The smallest multiple of `alignment` that is not below `value`."""
    return -(-value // alignment) * alignment

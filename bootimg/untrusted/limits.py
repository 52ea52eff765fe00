"""How much of this machine one untrusted image or file may take: the limits, and their texts for `--limit`.

docs/security.md has the table of them, with the reasons for the defaults.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from bootimg.errors import BootimgError, ExitCode
from bootimg.sizes import GIB, MIB, format_size, parse_duration, parse_size


class Limit(StrEnum):
    """What is limited, by the name that `--limit` takes."""

    LAYERS = "layers"
    """Layers of an image."""
    MEMBERS = "members"
    """Files in the archive that an image is read from."""
    UNPACKED = "unpacked"
    """Bytes that compressed content is unpacked to, without zeros of a disk, which become holes."""
    RATIO = "ratio"
    """How many times larger than its compressed content the unpacked one may be, beyond a free amount."""
    NAMES = "names"
    """Files, directories and links of all layers, with directories that only a path implies."""
    METADATA = "metadata"
    """Bytes of paths, targets of links, extended attributes and JSON, each use of a shared one counted.

    A name that no member of a layer stands for costs a KiB more.
    """
    LINK_STEPS = "link-steps"
    """Names that are looked up in following symbolic links and in making directories that a path implies."""
    CPU = "cpu"
    """Seconds of this process's CPU for all that but unpacking and hashing."""

    @property
    def field(self) -> str:
        """The limit's name as a keyword of `Limits`."""
        return self.value.replace("-", "_")


_SIZES = (Limit.UNPACKED, Limit.METADATA)
_UNITS = ((GIB, "G"), (MIB, "M"), (1, ""))
_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most of each; sizes are in bytes, `cpu` is in seconds."""

    layers: int = 500
    members: int = 20_000
    unpacked: int = 64 * GIB
    ratio: int = 100
    names: int = 1_200_000
    metadata: int = 256 * MIB
    link_steps: int = 5_000_000
    cpu: int = 60

    def of(self, limit: Limit) -> int:
        """The most that a limit allows."""
        found: int = getattr(self, limit.field)
        return found

    def with_texts(self, texts: Iterable[str]) -> Self:
        """These limits with others in the place of some, each written NAME=VALUE; or `limit-malformed`."""
        return replace(self, **{limit.field: most for limit, most in map(_parsed, texts)})


DEFAULT = Limits()


def shown(limit: Limit, amount: int) -> str:
    """An amount of what is limited, for people."""
    if limit in _SIZES:
        return format_size(amount).replace(".0 ", " ")
    return f"{amount}s" if limit is Limit.CPU else str(amount)


def written(limit: Limit, most: int) -> str:
    """A limit as `--limit` takes it."""
    if limit not in _SIZES:
        return f"{limit}={shown(limit, most)}"
    size, unit = next((size, unit) for size, unit in _UNITS if most % size == 0)
    return f"{limit}={most // size}{unit}"


def _parsed(text: str) -> tuple[Limit, int]:
    name, _, value = text.partition("=")
    if name not in tuple(Limit):
        raise _malformed(text, f"the limits are {', '.join(Limit)}")
    limit = Limit(name)
    if limit in _SIZES:
        return limit, parse_size(value)
    if limit is Limit.CPU:
        return limit, parse_duration(value)
    if not value.isascii() or not value.isdigit() or len(value) > _DIGITS:
        raise _malformed(text, f"{name} is a whole number")
    return limit, int(value)


def _malformed(text: str, why: str) -> BootimgError:
    return BootimgError(
        "limit-malformed",
        f"{text!r:.80} is not a limit: {why}",
        hint="write NAME=VALUE, such as names=2000000, unpacked=100G or cpu=5m",
        exit_code=ExitCode.USAGE,
    )

"""The content of the ignition area: an initramfs with the Ignition config and the network's keyfiles.

coreos-installer writes one cpio archive, compressed by xz -9 with the checksum that the kernel knows, and
reads any initramfs: archives one after another, each compressed or not, with zeros between them.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Mapping
from io import BytesIO

from bootimg.errors import BootimgError, ExitCode
from bootimg.formats.compression.decompress import compressor_of_data, decompress_stream
from bootimg.formats.compression.writer import Compressor
from bootimg.formats.compression.xzwrite import xz_stream
from bootimg.live.cpioread import read_members
from bootimg.live.embed.archive import write_members
from bootimg.live.malformed import MalformedError
from bootimg.sizes import MIB
from bootimg.untrusted.budget import Budget

IGNITION = "config.ign"
NETWORK = "etc/coreos-firstboot-network/"
_LIMIT = 64 * MIB
"""Bytes of all files together."""
_MOST_ARCHIVES = 64
_PRESET = 9


def encode(files: Mapping[str, bytes]) -> bytes:
    """The files as an initramfs; no files are no bytes."""
    if not files:
        return b""
    return xz_stream(_blocks(files), check=lzma.CHECK_CRC32, preset=_PRESET)


def _blocks(files: Mapping[str, bytes]) -> Iterator[bytes]:
    """The archive in the pieces of coreos-installer, which flushes its compressor after it pads a file."""
    block = b""
    for member, size in write_members(files):
        block += member
        if size % 4:
            yield block
            block = b""
    yield block


def decode(data: bytes, budget: Budget) -> dict[str, bytes]:
    """The regular files of an initramfs, the last of each path.

    `iso-area-invalid` if it is damaged, `image-over-budget`.
    """
    found: dict[str, bytes] = {}
    left, count = _LIMIT, 0
    rest = data.lstrip(b"\0")
    while rest:
        if count == _MOST_ARCHIVES:
            raise _invalid(f"it has more than {_MOST_ARCHIVES} archives")
        content, rest = _first_archive(rest, left, budget)
        found |= content
        left -= sum(map(len, content.values()))
        count += 1
        rest = rest.lstrip(b"\0")
    return found


def _first_archive(data: bytes, limit: int, budget: Budget) -> tuple[dict[str, bytes], bytes]:
    """The files of the archive that begins the data, and what follows it."""
    if compressor_of_data(data) is Compressor.NONE:
        return _files(data, budget)
    unpacked = decompress_stream(data, limit)
    if unpacked is None:
        raise _invalid(f"its compression is damaged, or it has more than {_LIMIT} bytes")
    files, after = _files(unpacked[0], budget)
    if after.strip(b"\0"):
        raise _invalid("data follows a cpio archive inside its compression")
    return files, unpacked[1]


def _files(data: bytes, budget: Budget) -> tuple[dict[str, bytes], bytes]:
    try:
        members, end = read_members(BytesIO(data), 0, len(data), budget)
    except MalformedError as error:
        raise _invalid(f"it has no whole cpio archive: {error}") from None
    found = {
        _path(each.name): data[each.offset : each.offset + each.size] for each in members if each.is_file
    }
    return found, data[end:]


def _path(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise _invalid(f"the name {name!r:.80} is not UTF-8") from None
    return name


def _invalid(why: str) -> BootimgError:
    return BootimgError(
        "iso-area-invalid",
        f"the area for the Ignition config has no initramfs that can be read: {why}",
        hint="`bootimg iso reset` empties it",
        exit_code=ExitCode.USAGE,
    )

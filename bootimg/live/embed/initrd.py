"""The content of the ignition area: an initramfs with the Ignition config and the network's keyfiles.

coreos-installer writes one cpio archive, compressed by xz -9 with the checksum that the kernel knows, and
reads any initramfs: archives one after another, each compressed or not, with zeros between them.
"""

from __future__ import annotations

import lzma
from collections.abc import Mapping

from bootimg.errors import BootimgError, ExitCode
from bootimg.formats.compression.decompress import compressor_of_data, decompress_stream
from bootimg.formats.compression.writer import Compressor
from bootimg.live.embed.newc import Member, read_archive, write_archive
from bootimg.sizes import MIB

IGNITION = "config.ign"
NETWORK = "etc/coreos-firstboot-network/"
_LIMIT = 64 * MIB
_PRESET = 9


def encode(files: Mapping[str, bytes]) -> bytes:
    """The files as an initramfs; no files are no bytes."""
    if not files:
        return b""
    return lzma.compress(write_archive(files), check=lzma.CHECK_CRC32, preset=_PRESET)


def decode(data: bytes) -> dict[str, bytes]:
    """The regular files of an initramfs, the last of each path; `iso-area-invalid` if it is damaged."""
    found: dict[str, bytes] = {}
    rest = data.lstrip(b"\0")
    while rest:
        members, rest = _first_archive(rest)
        found |= {_path(each.name): each.content for each in members if each.is_file}
        rest = rest.lstrip(b"\0")
    return found


def _first_archive(data: bytes) -> tuple[list[Member], bytes]:
    """The members of the archive that begins the data, and what follows it."""
    if compressor_of_data(data) is Compressor.NONE:
        return _members(data)
    unpacked = decompress_stream(data, _LIMIT)
    if unpacked is None:
        raise _invalid(f"its compression is damaged, or it has more than {_LIMIT} bytes")
    members, after = _members(unpacked[0])
    if after.strip(b"\0"):
        raise _invalid("data follows a cpio archive inside its compression")
    return members, unpacked[1]


def _members(data: bytes) -> tuple[list[Member], bytes]:
    read = read_archive(data)
    if read is None:
        raise _invalid("it has no whole cpio archive")
    return read


def _path(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise _invalid(f"the name {name!r:.80} is not UTF-8") from None


def _invalid(why: str) -> BootimgError:
    return BootimgError(
        "iso-area-invalid",
        f"the area for the Ignition config has no initramfs that can be read: {why}",
        hint="`bootimg iso reset` empties it",
        exit_code=ExitCode.USAGE,
    )

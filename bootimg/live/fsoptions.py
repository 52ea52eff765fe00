"""The layer's settings for the live system's root file system, as options of the programs that make it.

Source: the live stage of osbuild, which passes `live-rootfs-fsoptions` to mksquashfs or mkfs.erofs.  Here the
options come from a layer, so only those are taken that say how the data is packed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.declared.imagejson import PATH
from bootimg.printable import shown

FSTYPE, OPTIONS, COMPRESSION = "live-rootfs-fstype", "live-rootfs-fsoptions", "squashfs-compression"
"""The keys of image.json."""


class FsType(StrEnum):
    """The file systems that a live initramfs mounts."""

    SQUASHFS = "squashfs"
    EROFS = "erofs"


@dataclass(frozen=True, slots=True)
class RootfsOptions:
    """A file system and words for its program's command line, all of them from the lists of this module."""

    fstype: FsType
    words: tuple[str, ...]


_DEFAULTS = {FsType.SQUASHFS: "-comp zstd", FsType.EROFS: "--quiet"}
_COMPRESSORS = "gzip|lz4|lzma|lzo|xz|zstd"
# Each option of mksquashfs with the form of its value, None where it has none.
_SQUASHFS: Mapping[str, str | None] = {
    "-comp": _COMPRESSORS,
    "-b": r"[0-9]{1,7}[KM]?",
    "-Xcompression-level": r"[0-9]{1,2}",
    "-Xwindow-size": r"[0-9]{1,2}",
    "-Xstrategy": r"[a-z_,]{1,80}",
    "-Xalgorithm": r"[a-z0-9_]{1,20}",
    "-Xbcj": r"[a-z0-9,]{1,80}",
    "-Xdict-size": r"[0-9]{1,8}[KM%]?",
    "-Xhc": None,
    **dict.fromkeys(("-noI", "-noId", "-noD", "-noF", "-noX", "-quiet", "-no-progress")),
}
# By compressor, for drafts.
_QUICK: Mapping[str, tuple[str, ...]] = {
    "gzip": ("-comp", "gzip", "-Xcompression-level", "1"),
    "lz4": ("-comp", "lz4"),
    "zstd": ("-comp", "zstd", "-Xcompression-level", "1"),
}
# What mksquashfs decides by these, its sister that reads a tar archive has to do always, see `rootfs`.
_SQUASHFS_SKIPPED = ("-no-fragments", "-no-tailends", "-tailends", "-always-use-fragments", "-no-duplicates")
_COMPRESSION = r"[a-z0-9]{1,20}(,(level=|dictsize=)?[0-9]{1,8}){0,2}"
_FEATURE = r"(all-fragments|fragments(=[0-9]{1,8})?|fragdedupe=(full|inode|off)|ztailpacking"
_FEATURE += r"|noinline_data|force-inode-extended|legacy-compress|xattr-name-filter)"
# Each short option of mkfs.erofs with the form of its value, which may be a word of its own.
_EROFS: Mapping[str, str] = {
    "-z": rf"{_COMPRESSION}(:{_COMPRESSION}){{0,7}}",
    "-C": r"[0-9]{1,8}",
    "-E": rf"{_FEATURE}(,{_FEATURE}){{0,15}}",
    "-b": r"[0-9]{1,5}",
    "-d": r"[0-9]",
}
_EROFS_LONG = r"--quiet|--max-extent-bytes=[0-9]{1,8}"


def rootfs_options(settings: Mapping[str, Any]) -> RootfsOptions:
    """The options by image.json's keys for live media; absent ones are as in osbuild.

    Raises `live-rootfs-unsupported` for another file system, and for an option that may change more than how
    the data is packed.
    """
    name = settings.get(FSTYPE, FsType.SQUASHFS)
    if name not in tuple(FsType):
        raise _unsupported(FSTYPE, f"{shown(name)} is not {' or '.join(FsType)}")
    fstype = FsType(name)
    key, text = _option_text(settings, fstype)
    if not isinstance(text, str):
        raise _unsupported(key, f"{shown(text)} is not a text")
    words = iter(text.split())
    return RootfsOptions(fstype, tuple(_PARSERS[fstype](words, key)))


def draft_options(options: RootfsOptions) -> RootfsOptions:
    """Options that give a larger file system in a fraction of the time, which the same kernels mount.

    The layer's compressor stays if it is quick enough at its lowest level; else it is one that each kernel
    has which has the file system at all.
    """
    if options.fstype is FsType.EROFS:
        return RootfsOptions(FsType.EROFS, ("-zlz4",))
    words = options.words
    name = words[words.index("-comp") + 1] if "-comp" in words else "gzip"
    return RootfsOptions(FsType.SQUASHFS, _QUICK.get(name, _QUICK["gzip"]))


def _option_text(settings: Mapping[str, Any], fstype: FsType) -> tuple[str, Any]:
    """The key that has the options, and its value."""
    if COMPRESSION not in settings:
        return OPTIONS, settings.get(OPTIONS, _DEFAULTS[fstype])
    if OPTIONS in settings or fstype is not FsType.SQUASHFS:
        raise _unsupported(COMPRESSION, f"{FSTYPE} and {OPTIONS} have taken its place")
    return COMPRESSION, f"-comp {settings[COMPRESSION]}"


def _squashfs(words: Iterator[str], key: str) -> Iterator[str]:
    for word in words:
        if word in _SQUASHFS_SKIPPED:
            continue
        if word not in _SQUASHFS:
            raise _unknown(key, word)
        yield word
        if (form := _SQUASHFS[word]) is not None:
            yield _value(words, key, word, form)


def _erofs(words: Iterator[str], key: str) -> Iterator[str]:
    for word in words:
        if re.fullmatch(_EROFS_LONG, word):
            yield word
        elif word in _EROFS:
            yield word + _value(words, key, word, _EROFS[word])
        elif re.fullmatch(_EROFS.get(word[:2], "(?!)"), word[2:]):
            yield word
        else:
            raise _unknown(key, word)


_PARSERS: Mapping[FsType, Callable[[Iterator[str], str], Iterator[str]]] = {
    FsType.SQUASHFS: _squashfs,
    FsType.EROFS: _erofs,
}


def _value(words: Iterator[str], key: str, option: str, form: str) -> str:
    value = next(words, "")
    if not re.fullmatch(form, value):
        raise _unsupported(key, f"{shown(value)} is not a value of {option}")
    return value


def _unknown(key: str, word: str) -> BootimgError:
    return _unsupported(key, f"{shown(word)} is not an option that bootimg passes on")


def _unsupported(key: str, what: str) -> BootimgError:
    return BootimgError(
        "live-rootfs-unsupported",
        "the layer asks for a live root file system that bootimg does not make",
        context=[f"/{PATH}: {key}: {what}"],
        hint="docs/layer-configuration.md lists the options: correct the file where the layer is made",
        exit_code=ExitCode.USAGE,
    )

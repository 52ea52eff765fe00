"""A program named pvimg that keeps what it gets, and calls the real one or copies a stand-in image."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """#!/bin/sh
seen='{seen}' real='{real}' before= output=
printf '%s\\n' "$@" > "$seen/arguments"
for word; do
    case "$before" in
        --ramdisk) cat "$word" > "$seen/ramdisk";;
        --parmfile) cat "$word" > "$seen/parmfile";;
        --output) output=$word;;
    esac
    before=$word
done
if [ "$real" ]; then
    "$real" "$@" || exit
elif [ "$output" ]; then
    cp "$seen/stand-in" "$output"
fi
[ -z "$output" ] || cp "$output" "$seen/image"
"""


def stand_in_image(*, version: int = 0x100, keys: int = 1, size: int = 100_000) -> bytes:
    """What begins like an image with a header for so many keys, with blocks of zeros in it."""
    header = struct.pack(">8sII12s4xQ", b"IBMSecEx", version, 640, b"", keys)
    return (bytes(8192) + header + b"\x5a" * 3000).ljust(size, b"\xa5")


@dataclass(frozen=True)
class SeenPvimg:
    """The program is `folder`/bin/pvimg; the folder has `arguments`, `ramdisk`, `parmfile` and `image`."""

    folder: Path

    @property
    def programs(self) -> Path:
        """The folder for PATH."""
        return self.folder / "bin"

    def install(self, real: Path | None = None) -> None:
        """Write the program; without a real one, `stand-in` is its image."""
        self.programs.mkdir(parents=True)
        (self.folder / "stand-in").write_bytes(stand_in_image())
        program = self.programs / "pvimg"
        program.write_text(_SCRIPT.format(seen=self.folder, real=real or ""))
        program.chmod(0o755)

    @property
    def arguments(self) -> list[str]:
        """Its last arguments."""
        return (self.folder / "arguments").read_text().splitlines()

    @property
    def kernel_arguments(self) -> dict[str, str]:
        """The encrypted kernel arguments by name; those without a value have an empty one."""
        words = (word.partition("=") for word in (self.folder / "parmfile").read_text().split())
        return {name: value for name, _, value in words}

    @property
    def ramdisk(self) -> bytes:
        """The initramfs."""
        return (self.folder / "ramdisk").read_bytes()

    @property
    def image(self) -> bytes:
        """The image that it made."""
        return (self.folder / "image").read_bytes()

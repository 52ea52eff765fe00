"""The versions of this machine's programs that write the file systems of a base disk."""

from __future__ import annotations

from bootimg import process
from bootimg.vm.qemu import parse_version

_WORDS = {
    "xfsprogs": ("mkfs.xfs", "-V"),
    "e2fsprogs": ("mke2fs", "-V"),
    "dosfstools": ("mkfs.fat", "--help"),
    "mtools": ("mcopy", "-V"),
}
"""A program of each package, with the word that has it print its version."""
_PATIENCE = 60.0


def native_versions() -> dict[str, str]:
    """The versions by the packages' names; `unknown` where a program does not tell it."""
    return {package: _version(*words) for package, words in _WORDS.items()}


def _version(program: str, word: str) -> str:
    path = process.find(program)
    if path is None:
        return "unknown"
    done = process.run([path, word], check=False, timeout=_PATIENCE)
    found = parse_version((done.stdout + done.stderr).decode(errors="replace"))
    return ".".join(map(str, found)) or "unknown"

"""The key pair that protects Ignition configs: whoever starts the machine encrypts the config for it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bootimg import process
from bootimg.errors import BootimgError, ExitCode

GPG_PACKAGE = "gnupg"
_MOUNTS = Path("/proc/self/mounts")
_IN_MEMORY = ("tmpfs", "ramfs")
_SECONDS = 600


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Two OpenPGP keys in ASCII armor; the private one has no passphrase."""

    public: bytes
    private: bytes = field(repr=False)


def make_key_pair(name: str) -> KeyPair:
    """A new RSA key of 4096 bits for encryption, as coreos-assembler makes it; `name` is its user id.

    gpg keeps its keys in a folder, which is in memory here and is removed: the private key is never in a file
    of a disk, nor among a program's arguments.  Raises `memory-folder-missing`, and `program-missing`.
    """
    gpg = process.require("gpg", packages=GPG_PACKAGE)
    with _memory_folder() as home:
        words: list[process.Argument] = [
            gpg,
            "--homedir",
            home,
            "--batch",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ]
        try:
            process.run([*words, "--quick-gen-key", name, "rsa4096", "encr", "none"], timeout=_SECONDS)
            public = process.run([*words, "--armor", "--export"], timeout=_SECONDS).stdout
            private = process.run([*words, "--armor", "--export-secret-keys"], timeout=_SECONDS).stdout
        finally:
            # gpg leaves its agent running.
            gpgconf = process.require("gpgconf", packages=GPG_PACKAGE)
            process.run([gpgconf, "--homedir", home, "--kill", "all"], check=False, timeout=_SECONDS)
    return KeyPair(public, private)


def require_memory_folder() -> Path:
    """A folder whose files are in memory; `memory-folder-missing` if there is none."""
    places = [Path("/dev/shm"), *([Path(own)] if (own := os.environ.get("XDG_RUNTIME_DIR")) else [])]
    for place in places:
        if _file_system(place) in _IN_MEMORY and os.access(place, os.W_OK):
            return place
    raise BootimgError(
        "memory-folder-missing",
        "there is no folder in memory, which the private key for Ignition configs needs",
        context=[f"looked at {' and '.join(map(str, places))}"],
        hint="mount a tmpfs at /dev/shm",
        exit_code=ExitCode.ENVIRONMENT,
    )


@contextmanager
def _memory_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bootimg-", dir=require_memory_folder()) as name:
        yield Path(name)


def _file_system(path: Path) -> str | None:
    """The type of the file system mounted at the path itself; the last mount covers those before it."""
    lines = (line.split() for line in _MOUNTS.read_text(errors="replace").splitlines())
    found = [words[2] for words in lines if len(words) > 2 and words[1] == str(path)]
    return found[-1] if found else None

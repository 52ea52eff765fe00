"""The image that only some machines can decrypt, made by s390-tools' pvimg (before 2.36: genprotimg)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bootimg import process
from bootimg.errors import BootimgError
from bootimg.live.cpio import Member, members, padding

PACKAGES = "s390-tools (Fedora and RHEL: s390utils)"
_IGNITION_KEY = "usr/lib/coreos/ignition.asc"
_PROGRAMS = {"pvimg": ("create",), "genprotimg": ()}
# The beginning of the header: magic, version, size, initialization vector, reserved, number of key slots.
_HEADER = struct.Struct(">8sII12s4xQ")
_MAGIC, _VERSION = b"IBMSecEx", 0x100
_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What is encrypted: the kernel, the initramfs without the private key, that key, the arguments."""

    kernel: bytes
    initramfs: bytes
    private_key: bytes = field(repr=False)
    arguments: str


def find_program() -> Path:
    """pvimg, or its older name; `program-missing`."""
    older = process.find("pvimg") is None and process.find("genprotimg")
    return older or process.require("pvimg", packages=PACKAGES)


def make_host_image(parts: Parts, host_keys: Sequence[Path], output: Path) -> None:
    """Write the image for the machines of these host key documents, which are not verified.

    The initramfs has the private key, so it is a file in memory.  `output` is a new file in a folder of its
    own.  Raises `secure-image-failed`.
    """
    kernel, arguments = output.with_name("kernel"), output.with_name("arguments")
    kernel.write_bytes(parts.kernel)
    arguments.write_text(parts.arguments)
    program = find_program()
    with _in_memory(_with_key(parts)) as descriptor:
        keys = [word for each in host_keys for word in ("--host-key-document", each)]
        argv: list[process.Argument] = [program, *_PROGRAMS[program.name], "--no-verify", *keys]
        argv += ["--kernel" if program.name == "pvimg" else "--image", kernel]
        argv += ["--ramdisk", f"/proc/self/fd/{descriptor}", "--parmfile", arguments, "--output", output]
        done = process.run(argv, timeout=_SECONDS, pass_fds=(descriptor,), check=False)
    if done.returncode:
        raise _failed(program, done.stderr.decode(errors="replace").strip()[-500:])
    if (reason := _fault(output.read_bytes(), len(host_keys))) is not None:
        raise _failed(program, reason)


def _with_key(parts: Parts) -> Iterator[bytes]:
    """The initramfs, and an archive with the key behind it, which the kernel unpacks over it."""
    yield parts.initramfs
    yield padding(len(parts.initramfs))
    yield from members([Member(_IGNITION_KEY, parts.private_key)])


@contextmanager
def _in_memory(content: Iterator[bytes]) -> Iterator[int]:
    descriptor = os.memfd_create("initramfs")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.writelines(content)
        yield descriptor
    finally:
        os.close(descriptor)


def _fault(image: bytes, keys: int) -> str | None:
    """Why this is not an image with so many keys."""
    at = image.find(_MAGIC)
    if at < 0 or len(image) < at + _HEADER.size:
        return "the image has no header of Secure Execution"
    _, version, _, _, slots = _HEADER.unpack_from(image, at)
    if version != _VERSION:
        return f"the header has version 0x{version:x}, which bootimg does not know"
    return None if slots == keys else f"the header has {slots} keys, not {keys}"


def _failed(program: Path, why: str) -> BootimgError:
    return BootimgError(
        "secure-image-failed",
        f"{program.name} made no image for Secure Execution",
        context=[why],
        hint="check the host key documents (--hostkey): each is a certificate of IBM's for one machine",
    )

"""Lets the kernel hand programs of an architecture to an emulator.

    python binfmt.py FOLDER EMULATOR MACHINE COMMAND…

MACHINE is e_machine of the ELF header (System V ABI), in hex and in the architecture's byte order.

Runs as root of a user namespace.  Since Linux 6.7 each of these has its own binfmt_misc: the rest of the
machine sees nothing of it, and it ends with the namespace.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# Class, data and version; the two types of programs, ET_EXEC and ET_DYN, differ in the lowest bit.
_MAGIC = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00"
_MASK = b"\xff" * 7 + b"\x00" + b"\xff" * 8 + b"\xfe\xff" + b"\xff\xff"
# Fixed: the emulator is opened now, so it is found from within a chroot.  Preserving: it is told the name by
# which the program was called.
_FLAGS = "FP"


def main() -> None:
    """Register the emulator and become the command.  binfmt_misc is mounted on the folder meanwhile."""
    folder, emulator, machine, *command = sys.argv[1:]
    try:
        subprocess.run(["mount", "-t", "binfmt_misc", "none", folder], check=True)
        entry = (
            f":emulated:M::{_escaped(_MAGIC + bytes.fromhex(machine))}:{_escaped(_MASK)}:{emulator}:{_FLAGS}"
        )
        Path(folder, "register").write_text(entry)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"no binfmt_misc: {error}") from None
    os.execvp(command[0], command)


def _escaped(data: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)


if __name__ == "__main__":
    main()

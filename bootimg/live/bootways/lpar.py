"""The files from which a logical partition or a guest of z/VM starts the live system of s390x.

The hardware management console loads what generic.ins lists, each file to its address.  On z/VM, redhat.exec
puts kernel, parameter file and initramfs into the guest's card reader and starts it from there.  All have the
names that lorax and coreos-assembler give them.  The files with the kernel arguments are in the table of the
architectures.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from bootimg.disk.zipl.kernelimage import ARGUMENTS_AT, INITRAMFS_AT
from bootimg.live.bootways.cdboot import LARGEST_KERNEL
from bootimg.live.iso.liveiso import INITRD, KERNEL
from bootimg.live.iso.tree import IsoFile

INS_FILE, ADDRESS_FILE = "generic.ins", "images/initrd.addrsize"
_EXEC_FILE = "images/redhat.exec"
_INITRAMFS_AT = LARGEST_KERNEL
# REXX begins with a comment.  The names are those under which a user puts the files on a disk of CMS.
_EXEC = """\
/* Starts the live system from this guest's card reader */
'CP CLOSE RDR'
'CP PURGE RDR ALL'
'CP SPOOL PUNCH * RDR'
'PUNCH KERNEL IMG A (NOH'
'PUNCH GENERIC PRM A (NOH'
'PUNCH INITRD IMG A (NOH'
'CP CHANGE RDR ALL KEEP NOHOLD'
'CP IPL 00C CLEAR'
"""


def lpar_files(initramfs_size: int, parameter_files: Sequence[str]) -> Iterator[IsoFile]:
    """The files; the last of the `parameter_files` has the kernel arguments of a logical partition."""
    *_, arguments = parameter_files
    loaded = {KERNEL: 0, INITRD: _INITRAMFS_AT, arguments: ARGUMENTS_AT, ADDRESS_FILE: INITRAMFS_AT}
    lines = ["* the live system of CoreOS", *(f"{path} 0x{at:08x}" for path, at in loaded.items())]
    yield IsoFile.of(INS_FILE, "".join(f"{line}\n" for line in lines).encode())
    yield IsoFile.of(ADDRESS_FILE, struct.pack(">QQ", _INITRAMFS_AT, initramfs_size))
    yield IsoFile.of(_EXEC_FILE, _EXEC.encode())

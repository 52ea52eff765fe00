"""/boot: the kernel, its entry, the links of the loader, and what the recipe adds.

Source: libostree's install_deployment_kernel and install_into_boot: copies with the object's owner and mode,
without its attributes.  Paths are from the root of the boot partition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from bootimg.sysroot.bls import BOOT_VERSION, bls_entry, entry_name, kernel_folder
from bootimg.sysroot.draft import Draft, directory_entry, file_entry, own
from bootimg.sysroot.entries import Entry, directory, symlink, text
from bootimg.sysroot.ignition import STAMP, stamp_content
from bootimg.sysroot.kernel import Kernel
from bootimg.sysroot.objects import FileObject
from bootimg.sysroot.wanted import BOOT_MOUNT, Wanted, made_directories

# mkfs.ext4 makes it; it is here for its label.
_LOST_FOUND = "lost+found"


def boot(wanted: Wanted, kernel: Kernel, bootloader: Iterable[Entry]) -> Iterator[Draft]:
    """The boot partition; `bootloader` is what the bootloader has on it, ready but for labels."""
    for entry in (*_files(wanted, kernel), *bootloader):
        path = entry.path.decode()
        yield own(entry, f"/boot/{path}" if path else "/boot")


def _files(wanted: Wanted, kernel: Kernel) -> Iterator[Entry]:
    now = wanted.now
    made: Mapping[str, int] = made_directories(wanted.recipe)[BOOT_MOUNT]
    yield directory("", 0o755, now)
    yield directory(_LOST_FOUND, 0o700, now)
    for path, mode in made.items():
        yield directory(path, mode, now)
    # GRUB finds /boot/… of the entry through it (ostree-sysroot.c).
    yield symlink("boot", ".", now)
    yield symlink("loader", f"loader.{BOOT_VERSION}", now)
    yield directory(f"loader.{BOOT_VERSION}", 0o755, now)
    entries = f"loader.{BOOT_VERSION}/entries"
    yield directory(entries, 0o755, now)
    yield text(f"{entries}/{entry_name(wanted)}", bls_entry(wanted, kernel), now)
    yield directory("ostree", 0o755, now)
    yield directory(kernel_folder(wanted, kernel), 0o755, now)
    yield from _kernel(wanted, kernel)
    yield text(STAMP, stamp_content(wanted.sysroot.ignition), now)


def _kernel(wanted: Wanted, kernel: Kernel) -> Iterator[Entry]:
    folder = kernel_folder(wanted, kernel)
    for name, found in kernel.files:
        path = f"{folder}/{name}"
        if isinstance(found, FileObject):
            yield replace(file_entry(path, found, wanted.now), xattrs=())
        else:
            yield replace(directory_entry(path, found, wanted.now), xattrs=())

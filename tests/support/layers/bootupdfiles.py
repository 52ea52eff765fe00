"""The files of a layer with bootupd, made up: nothing in them can run."""

from __future__ import annotations

from collections.abc import Mapping

STATIC = "usr/lib/bootupd/grub2-static"
SHIM, GRUB = "usr/lib/efi/shim/15.8-3/EFI", "usr/lib/efi/grub2/2.12-1/EFI"
UPDATES = "usr/lib/bootupd/updates"
METADATA = (
    b'{"timestamp":"2026-11-01T02:03:04Z","version":"grub2-2.12-1,shim-15.8-3","versions":'
    b'[{"name":"grub2","rpm_evr":"2.12-1"},{"name":"shim","rpm_evr":"15.8-3"}],"default-bootloader":null}'
)
"""As `bootupctl backend generate-update-metadata` writes it."""


def bootupd_files(version: str, efi: str = "aa64") -> Mapping[str, bytes]:
    """A layer's files by path; `efi` ends the names of its EFI programs."""
    status = f"Package: bootupd\nStatus: install ok installed\nVersion: {version}-1\nArchitecture: all\n\n"
    return {
        "usr/bin/bootupctl": b"",
        "usr/bin/grub2-editenv": b"",
        "usr/share/dpkg-db/status": status.encode(),
        f"{UPDATES}/EFI.json": METADATA,
        f"{STATIC}/grub-static-pre.cfg": b"set pager=1\n",
        f"{STATIC}/grub-static-post.cfg": b"blscfg\n",
        f"{STATIC}/grub-static-efi.cfg": b"configfile $prefix/grub.cfg\n",
        f"{STATIC}/configs.d/10_blscfg.cfg": b"blscfg\n",
        f"{STATIC}/configs.d/05_ignition.cfg": b"set ignition_firstboot=1\n",
        f"{STATIC}/configs.d/README.md": b"Not for GRUB.\n",
        f"{SHIM}/BOOT/BOOT{efi.upper()}.EFI": b"MZ shim",
        f"{SHIM}/redhat/shim{efi}.efi": b"MZ shim",
        f"{GRUB}/redhat/grub{efi}.efi": b"MZ grub",
    }

"""What the layer's ostree leaves on a disk, by its version.

The rules are those of libostree's sources from 2022.7 to 2026.4.  Each of these versions can update
a deployment of any other: the rules make the disk the one that the layer's own tools would make.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bootimg.sysroot.unsupported import NativeUnsupportedError

Version = tuple[int, int]
PROGRAM = "usr/bin/ostree"
_OLDEST: Version = (2022, 7)
# Strings of the program: what `ostree --version` prints as version and features (ot-main.c).
_VERSION = re.compile(rb"(?<=\0)(20\d\d)\.(\d{1,2})(?=\0)")
_FEATURES = re.compile(rb"(?<=\0)((?:[a-z0-9-]+ )*lib(?:curl|archive|soup)[a-z0-9]*(?: [a-z0-9-]+)*)(?=\0)")


@dataclass(frozen=True, slots=True)
class OstreeRules:
    """The version of an ostree, and whether it was built with composefs."""

    version: Version
    composefs: bool

    @property
    def backing(self) -> bool:
        """ostree/deploy/OS/backing (2024.1, sysroot_initialize_deployment_backing)."""
        return self.version >= (2024, 1)

    @property
    def var_of_commit(self) -> bool:
        """A new stateroot's /var is the commit's (2024.3, prepare_deployment_var).

        Before, os-init makes a few standard directories.
        """
        return self.version >= (2024, 3)

    @property
    def osname_in_entry(self) -> bool:
        """The BLS entry is ostree-1-OS.conf (until 2024.5, bootloader_entry_filename)."""
        return self.version < (2024, 5)

    @property
    def bootprefix(self) -> bool:
        """Entries have /boot before their paths if `sysroot.bootprefix` says so (2023.2)."""
        return self.version >= (2023, 2)

    def writes_composefs(self, enabled: str) -> bool:
        """Whether a deployment has .ostree.cfs (checkout_deployment_tree).

        Since 2024.3 where prepare-root.conf enables it, since 2024.10 unless that disables it, since 2025.1
        always.  `enabled` is `yes`, `no`, `maybe`, or empty where the file does not say: that means `maybe`.
        """
        if not self.composefs:
            return False
        if self.version >= (2025, 1):
            return True
        return (
            enabled != "no" if self.version >= (2024, 10) else self.version >= (2024, 3) and enabled == "yes"
        )


def rules_of(program: bytes) -> OstreeRules:
    """The rules of the layer's ostree, read from its program's strings."""
    versions = {match.groups() for match in _VERSION.finditer(program)}
    if len(versions) != 1:
        raise NativeUnsupportedError(f"the version of the layer's ostree is not found in /{PROGRAM}")
    major, minor = (int(part) for part in versions.pop())
    if (major, minor) < _OLDEST:
        raise NativeUnsupportedError(f"the layer's ostree {major}.{minor} is older than 2022.7")
    features = _FEATURES.search(program)
    if features is None:
        raise NativeUnsupportedError(f"the features of the layer's ostree are not found in /{PROGRAM}")
    return OstreeRules((major, minor), b"composefs" in features[1].split())

"""What versions of bootupd differ in, as far as they install GRUB for UEFI on an empty disk.

Source: the releases of bootupd (src/bootupd.rs, efi.rs, grubconfigs.rs, filetree.rs, model.rs), from 0.2.26,
the first that notes its own version in its state file without asking rpm for it, to 0.3.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Version = tuple[int, int, int]
NEWEST: Version = (0, 3, 2)
"""The newest version whose source was read."""
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How the versions from `since` on install.

    `sourced`: grub.cfg sources the drop-ins, which are copied beside it; else it has their text in it.
    `config_mode` and `grubenv_mode` are the modes of grub.cfg and grubenv; None if there is no grubenv.
    `versions`: the state file has the versions of packages apart, too.  `vendor_from_usr`: the folder of the
    vendor is looked for in usr/lib/efi before usr/lib/bootupd/updates.  `payload_from_usr`: so is what is
    installed, and the state file has the path of each file there.  `chooses`: it chooses among bootloaders.
    """

    since: Version
    sourced: bool = False
    config_mode: int = 0o600
    grubenv_mode: int | None = 0o644
    versions: bool = True
    vendor_from_usr: bool = True
    payload_from_usr: bool = True
    chooses: bool = False


_BEHAVIOURS = (
    Behaviour(
        since=(0, 2, 26),
        sourced=True,
        config_mode=0o644,
        grubenv_mode=None,
        versions=False,
        vendor_from_usr=False,
        payload_from_usr=False,
    ),
    Behaviour(
        since=(0, 2, 28), config_mode=0o644, versions=False, vendor_from_usr=False, payload_from_usr=False
    ),
    Behaviour(since=(0, 2, 29), versions=False, vendor_from_usr=False, payload_from_usr=False),
    Behaviour(since=(0, 2, 30), payload_from_usr=False),
    Behaviour(since=(0, 2, 32)),
    Behaviour(since=(0, 2, 33), grubenv_mode=0o600),
    Behaviour(since=(0, 2, 36), grubenv_mode=0o600, chooses=True),
)


def behaviour_of(version: str) -> Behaviour | None:
    """The behaviour of a released version such as `0.2.27`; None for one that is not known."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    found = (int(match[1]), int(match[2]), int(match[3]))
    known = [each for each in _BEHAVIOURS if each.since <= found <= NEWEST]
    return known[-1] if known else None


def known_versions() -> str:
    """The range of known versions, for people."""
    first, last = (".".join(map(str, each)) for each in (_BEHAVIOURS[0].since, NEWEST))
    return f"{first} to {last}"

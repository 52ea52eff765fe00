"""Whether a guest that answers over ssh has laid the node image over its system."""

from __future__ import annotations

from bootimg import process
from bootimg.errors import BootimgError
from bootimg.printable import printable
from bootimg.vm.nodeimage.overlay import UNIT
from bootimg.vm.ssh import SshKey, ssh_argv

_DEADLINE = 300.0
_LINES = 12


def require_laid(port: int, key: SshKey) -> None:
    """Raise `node-image-not-laid` if the unit has failed or does not exist.

    The unit ends before the guest's ssh server starts.
    """
    show = f"systemctl show --property=ActiveState,LoadState --value {UNIT}"
    state = _said(port, key, show).split()
    if "active" in state:
        return
    missing = "not-found" in state
    journal = f"sudo journalctl --boot --no-pager --output=cat --lines={_LINES} --unit={UNIT}"
    raise BootimgError(
        "node-image-not-laid",
        "the guest runs without the node image",
        context=[] if missing else [printable(each)[:300] for each in _said(port, key, journal).splitlines()],
        hint="Ignition adds the unit at the first boot only: has this disk been booted with --write?"
        if missing
        else "a live system may need more --memory; without --ssh you can look around on the console",
    )


def _said(port: int, key: SshKey, command: str) -> str:
    done = process.run(ssh_argv(port, key, command), check=False, timeout=_DEADLINE)
    return done.stdout.decode(errors="replace")

"""One interactive run of an image or of live media: on the terminal, with a log, or over ssh."""

from __future__ import annotations

import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bootimg import process
from bootimg.arch import Arch
from bootimg.arches.row import Firmware
from bootimg.events import Events
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.bootable import Bootable
from bootimg.vm.drives import TargetDisk
from bootimg.vm.firmware import make_flash
from bootimg.vm.guest import Guest
from bootimg.vm.ignition import Mount, guest_config
from bootimg.vm.machine import Bind, Machine
from bootimg.vm.network import Link, Network, linked
from bootimg.vm.nodeimage.check import require_laid
from bootimg.vm.nodeimage.overlay import NodeOverlay
from bootimg.vm.qemu import require_system
from bootimg.vm.ssh import SshKey, free_port, make_key, ssh_argv, wait_for_sshd

SSH_DEADLINE = 1200.0
POWEROFF_DEADLINE = 300.0


@dataclass(frozen=True, slots=True)
class Share:
    """A folder of this machine and its path in the guest, where it is read-only."""

    source: Path
    path: PurePosixPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What to boot and how.

    `config` is the user's Ignition config.  `console` is a log file, or None for the terminal (with `ssh` it
    must be a file).  `ssh` is None for no login, "" for a shell, or a command to run as core.  `target` is a
    disk that live media can install to.  `overlay` is a node image that the guest lays over its system.
    """

    bootable: Bootable
    arch: Arch
    accelerator: Accelerator
    firmware: Firmware | None = None
    config: bytes | None = None
    memory_mib: int = 2048
    cpus: int | None = None
    shares: Sequence[Share] = ()
    ssh: str | None = None
    console: Path | None = None
    target: TargetDisk | None = None
    network: Network = Network.ON
    overlay: NodeOverlay | None = None

    def run(self, folder: Path, events: Events) -> int:
        """Boot, with files of this run in `folder`; returns the command's exit code, or 0.

        Errors: those of the firmware, QEMU and the guest; `ssh-timeout`, `node-image-not-laid`.
        """
        if self.ssh is not None:
            return self._over_ssh(folder, events)
        with linked(self.network, None, events) as link:
            machine = self.machine(folder, link)
            if self.console is None:
                return _on_terminal(machine, link)
            events.message(f"the console is written to {self.console}; ^C ends the machine")
            with Guest(machine, descriptors=link.descriptors) as guest:
                guest.wait_off(None)
        return 0

    def machine(self, folder: Path, link: Link, key: SshKey | None = None) -> Machine:
        """The machine, with its flash and its Ignition config made in `folder`."""
        machine = Machine(
            arch=self.arch,
            accelerator=self.accelerator,
            console=self.console or "stdio",
            flash=make_flash(self.arch, self.firmware, folder),
            memory_mib=self.memory_mib,
            cpus=self.cpus,
            target=self.target,
            data=self.overlay.drive if self.overlay else None,
            netdev=link.netdev,
            binds=[Bind(f"bind{number}", share.source) for number, share in enumerate(self.shares)],
        )
        return self.bootable.put_into(machine, self._config(key), folder)

    def _config(self, key: SshKey | None) -> bytes:
        user = self.bootable.config if self.config is None else self.config
        if user is not None and key is None and not self.shares and self.overlay is None:
            return user
        return guest_config(
            user=user,
            console=self.arch.row.hardware.console if user is None else None,
            ssh_keys=[key.public] if key else [],
            mounts=[Mount(f"bind{number}", share.path) for number, share in enumerate(self.shares)],
            files=[self.overlay.program] if self.overlay else [],
            units=[self.overlay.unit] if self.overlay else [],
        )

    def _over_ssh(self, folder: Path, events: Events) -> int:
        key, port = make_key(folder), free_port()
        with (
            linked(self.network, port, events) as link,
            Guest(self.machine(folder, link, key), descriptors=link.descriptors) as guest,
        ):
            with events.step("boot", "boot and wait for ssh"):
                wait_for_sshd(port, SSH_DEADLINE, guest.check)
            if self.overlay is not None:
                require_laid(port, key)
            code = _foreground(ssh_argv(port, key, self.ssh))
            if guest.machine.keeps_writes:
                # Ending QEMU at once would lose what the guest has not written yet.
                process.run(ssh_argv(port, key, "sudo systemctl poweroff"), check=False, timeout=60)
                guest.wait_off(POWEROFF_DEADLINE)
        return code


def _on_terminal(machine: Machine, link: Link) -> int:
    qemu = require_system(machine.arch)
    with _terminal_kept():
        return _foreground(machine.argv(qemu.path), link.descriptors)


def _foreground(argv: Sequence[str], descriptors: Sequence[int] = ()) -> int:
    """Run a program with this process's stdin, stdout and stderr; returns its exit code."""
    with process.spawn(argv, stdin=None, stdout=None, stderr=None, pass_fds=descriptors, tied=True) as child:
        return child.wait()


@contextmanager
def _terminal_kept() -> Iterator[None]:
    """Restore the terminal's settings after QEMU."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)

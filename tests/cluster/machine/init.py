"""The first process of the cluster's namespaces: `python init.py FOLDER ADDRESS` makes mounts and a network.

It says `ready`, buries processes that lost their parent, and ends when its standard input closes.  The kernel
then ends all the others, so nothing outlives the tests, however they end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

BRIDGE = "cluster0"
# What the kubelet and containerd write at fixed places is the cluster's own; nothing of it is seen outside.
_PRIVATE = ("/run", "/dev/shm", "/var/lib", "/var/log")


def main() -> None:
    folder, address = sys.argv[1:]
    _mounts(Path(folder))
    _network(address)
    print("ready", flush=True)
    signal.signal(signal.SIGCHLD, _bury)
    while os.read(0, 1):
        pass


def _mounts(folder: Path) -> None:
    _do("mount", "--make-rshared", "/")
    for each in _PRIVATE:
        _do("mount", "-t", "tmpfs", "tmpfs", each)
    # Volumes of pods hold disks: they lie on disk, not in memory.
    kubelet = Path("/var/lib/kubelet")
    kubelet.mkdir()
    (folder / "kubelet").mkdir()
    _do("mount", "--bind", str(folder / "kubelet"), str(kubelet))


def _network(address: str) -> None:
    _do("ip", "link", "set", "lo", "up")
    _do("ip", "link", "add", BRIDGE, "type", "bridge")
    _do("ip", "address", "add", f"{address}/24", "dev", BRIDGE)
    _do("ip", "link", "set", BRIDGE, "up")
    # Without a port a bridge has no carrier.
    _do("ip", "link", "add", "port0", "type", "veth", "peer", "name", "port1")
    _do("ip", "link", "set", "port0", "master", BRIDGE, "up")
    _do("ip", "link", "set", "port1", "up")
    _do("ip", "route", "add", "default", "dev", BRIDGE)


def _do(*argv: str) -> None:
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def _bury(*_: object) -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    main()

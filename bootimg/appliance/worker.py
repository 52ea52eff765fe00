"""The part of the appliance that calls libguestfs; the system's Python runs it as a script.

It uses only the standard library and `guestfs`, and nothing newer than Python 3.9, because another
interpreter runs it than bootimg's.  It reads one JSON object a line on stdin ({"call": name, ...}) and
answers each with one on stdout ({"ok": true, ...} or {"ok": false, "kind": ..., "message": ...}).  Files
are passed by path.  When stdin ends, the parent has ended; then the worker kills its whole process group
with QEMU.
"""

from __future__ import annotations

import json
import os
import queue
import re
import shlex
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

ROOT = "/sysroot"  # where libguestfs' daemon mounts the filesystem that its calls see as /
OUTPUT, ERRORS, INPUT = "/run/bootimg/out", "/run/bootimg/err", "/run/bootimg/in"
PREPARE = f"""set -e
cd {ROOT}
for dir in dev dev/pts proc sys; do mount --bind /$dir $dir; done
for dir in tmp run var; do mount -t tmpfs -o mode=0755 tmpfs $dir; done
mkdir run/bootimg var/tmp
chmod 1777 tmp var/tmp
readlink -f"""
# The program's streams go through files: an answer of libguestfs has at most 4 MiB.
RUN = f'in=$1; shift; "$@" <"$in" >{OUTPUT} 2>{ERRORS}; echo $?'
STDERR_LIMIT = 64 * 1024
SMALL = 1 << 20
GROUP_DEADLINE = 5.0
SOCKET_FOLDER = re.compile(rb"path=(/[^,]*/libguestfs[A-Za-z0-9]{6})/guestfsd\.sock")


class Worker:
    """One libguestfs handle and the calls on it."""

    def __init__(self) -> None:
        import guestfs

        self.guest: Any = guestfs.GuestFS(python_return_dict=True)

    def start(self, options: dict[str, Any]) -> dict[str, Any]:
        """Launch the VM with its drives and make the tool tree its `/`."""
        guest = self.guest
        guest.set_verbose(options["verbose"])
        guest.set_trace(1)
        guest.set_backend("direct")
        guest.set_backend_settings([options["accelerator_setting"]])
        guest.set_cachedir(options["cachedir"])
        guest.set_tmpdir(options["scratch"])
        guest.set_memsize(options["memory_mib"])
        guest.set_smp(options["cpus"])
        guest.set_network(False)
        for drive in options["drives"]:
            add_drive(guest, drive)
        guest.launch()
        guest.mount_ro("/dev/disk/guestfs/" + options["tool_tree"], "/")
        labels = [drive["label"] for drive in options["drives"]]
        # The order of /dev/sdX differs from the order of the drives.
        names = self._shell(PREPARE + "".join(f" /dev/disk/guestfs/{label}" for label in labels)).split()
        return {"devices": dict(zip(labels, names))}  # noqa: B905 (Python 3.9 has no `strict`)

    def _shell(self, script: str) -> str:
        """Run a script with the shell of the appliance itself.

        `command`, the call meant for programs, mounts and unmounts /dev, /proc and /sys each time: that takes
        0.9 s under TCG, this call 0.2 s.
        """
        return str(self.guest.debug("sh", [script]))

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        """Run a program; its stdout is written to the local file `output`."""
        source = "/dev/null"
        if options["input"] is not None:
            self._write(options["input"], INPUT)
            source = INPUT
        words = ["env", *(f"{name}={value}" for name, value in options["env"].items()), *options["argv"]]
        script = shlex.join(["chroot", ROOT, "/bin/sh", "-c", RUN, "sh", source, *words])
        status = int(self._shell(script))
        self._read(OUTPUT, options["output"])
        errors = self._end_of(ERRORS)
        sys.stderr.write(f"bootimg: {shlex.join(options['argv'])} ended with {status}\n{errors}\n")
        sys.stderr.flush()
        return {"status": status, "stderr": errors}

    def _end_of(self, path: str) -> str:
        size = self.guest.filesize(path)
        data = self.guest.pread(path, STDERR_LIMIT, max(0, size - STDERR_LIMIT)) if size else b""
        return decode(data)

    def put(self, options: dict[str, Any]) -> dict[str, Any]:
        """Copy the local file `local` to `path`, with the permissions `mode`."""
        self._write(options["local"], options["path"])
        self.guest.chmod(options["mode"], options["path"])
        return {}

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """Copy `path` to the local file `local`."""
        self._read(options["path"], options["local"])
        return {}

    def _write(self, local: str, path: str) -> None:
        # upload and download start a process in the appliance, write and pread do not.
        if Path(local).stat().st_size > SMALL:
            self.guest.upload(local, path)
        else:
            self.guest.write(path, Path(local).read_bytes())

    def _read(self, path: str, local: str) -> None:
        size = self.guest.filesize(path)
        if size > SMALL:
            self.guest.download(path, local)
            return
        data = self.guest.pread(path, size, 0) if size else b""
        Path(local).write_bytes(data)

    def close(self, options: dict[str, Any]) -> dict[str, Any]:
        """Write everything to the drives, unmount and power off."""
        self.guest.shutdown()
        self.guest.close()
        return {}

    def alive(self) -> bool:
        """Whether the VM still answers."""
        return bool(self.guest.is_ready())


def add_drive(guest: Any, drive: dict[str, Any]) -> None:  # noqa: ANN401 (guestfs has no types)
    """Attach one drive, addressed by its label."""
    options = {"readonly": True} if drive["readonly"] else {"discard": "besteffort", "cachemode": "unsafe"}
    guest.add_drive_opts(
        drive["path"], format="raw", label=drive["label"], blocksize=drive["sector_size"], **options
    )


def decode(data: Any) -> str:  # noqa: ANN401 (bytes, or str with surrogates, by the version of guestfs)
    """The text of a buffer that guestfs returned."""
    return data.decode(errors="replace") if isinstance(data, bytes) else str(data)


def socket_folders(group: int) -> set[str]:
    """The folders with the sockets of a process group's QEMU.

    libguestfs removes them only at a normal end.  For root it makes them in /tmp, regardless of
    XDG_RUNTIME_DIR.
    """
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) == group:
                found |= set(SOCKET_FOLDER.findall((process / "cmdline").read_bytes()))
        except OSError:
            continue
    return {os.fsdecode(folder) for folder in found}


def read_requests(requests: queue.Queue[str], scratch: str) -> None:
    """Queue the lines of stdin; when it ends, end everything at once."""
    for line in sys.stdin:
        requests.put(line)
    end_everything([scratch, *socket_folders(os.getpgrp())])


def end_everything(folders: list[str]) -> None:
    """Kill the process group with this process, and remove the folders that it wrote to.

    A child outside the group removes them once more, because processes that still run may write to them.
    """
    group = os.getpgrp()
    remove(folders)
    if os.fork() == 0:
        os.setsid()
        os.killpg(group, signal.SIGKILL)
        deadline = time.monotonic() + GROUP_DEADLINE
        while time.monotonic() < deadline and group_is_there(group):
            time.sleep(0.02)
        remove(folders)
        os._exit(0)
    while True:
        signal.pause()


def remove(folders: list[str]) -> None:
    """Remove those of the folders that exist, with their content."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def group_is_there(group: int) -> bool:
    """Whether the group still has a process."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def answer(worker: Worker, line: str) -> dict[str, Any]:
    """Run one call and return the answer."""
    request = json.loads(line)
    try:
        return {"ok": True, **getattr(worker, request["call"])(request)}
    except RuntimeError as error:  # what every failing call of guestfs raises
        started = request["call"] != "start"
        kind = "died" if started and not worker.alive() else "failed"
        return {"ok": False, "kind": kind, "message": str(error)}


def main() -> None:
    """Answer requests until stdin ends."""
    requests: queue.Queue[str] = queue.Queue()
    threading.Thread(target=read_requests, args=(requests, sys.argv[1]), daemon=True).start()
    worker = Worker()
    while True:
        reply = answer(worker, requests.get())
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

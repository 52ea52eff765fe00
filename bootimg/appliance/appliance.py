"""Starting the appliance, running programs in it, and the errors of both."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bootimg.appliance.channel import Channel, WorkerGoneError, WorkerTimeoutError
from bootimg.appliance.interpreter import guestfs_python
from bootimg.atomic import require_space, scratch_folder, temporary_root
from bootimg.cache import Cache
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.sizes import KIB
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.kernel import Kernel, find_kernel
from bootimg.vm.qemu import require_qemu_img, require_system

LAUNCH_DEADLINE = 300.0  # ten seconds on a quiet machine without KVM, minutes on a busy one
APPLIANCE_BUILD_DEADLINE = 600.0  # the first launch: supermin copies modules and makes a file system
FILE_DEADLINE = 600.0
CLOSE_DEADLINE = 600.0  # the drives may have gigabytes to write to slow storage
FULL = 256 * KIB
MEMORY_MIB = 2048
SCRATCH = "bootimg-appliance-"
_PLAIN = re.compile(r"[A-Za-z0-9._/+@~-]+")
ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",
    "LC_ALL": "C.UTF-8",
    "TMPDIR": "/var/tmp",
}


FailureHook = Callable[["Appliance", BootimgError], None]


@dataclass(frozen=True, slots=True)
class Drive:
    """A raw disk image for the appliance.

    `label` (1 to 20 ASCII letters) identifies it.  `sector_size` (512 or 4096) is in bytes.
    """

    label: str
    path: Path
    readonly: bool = False
    sector_size: int = 512

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z]{1,20}", self.label):
            raise ValueError(f"not a drive label: {self.label!r}")


class Appliance:
    """A running appliance; a context manager: a normal end closes it, an exception kills it at once.

    /tmp, /run and /var are tmpfs; the rest of `/` is the read-only tool tree.  What programs mount stays
    mounted.  It runs one call at a time and must not be shared between threads.
    """

    def __init__(
        self, channel: Channel, devices: Mapping[str, str], growing: Sequence[Path], scratch: Path, log: Path
    ) -> None:
        self._channel: Channel | None = channel
        self._growing = growing
        self._devices = dict(devices)
        self._scratch = scratch
        self._events = Events()
        self._resources = ExitStack()
        self._on_failure: FailureHook | None = None
        self._meanwhile: Callable[[], None] = lambda: None
        self.log = log

    @classmethod
    def start(
        cls,
        drives: Sequence[Drive],
        *,
        tool_tree: str,
        log: Path,
        accelerator: Accelerator,
        cache: Cache,
        events: Events,
        memory_mib: int = MEMORY_MIB,
        cpus: int | None = None,
        on_failure: FailureHook | None = None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Self:
        """Boot with `drives`; the one labelled `tool_tree` becomes `/`.

        A launch that takes too long is killed and tried once more (libguestfs is known to hang on busy
        machines).  Console and trace go to `log`.  If an error leaves the body while the machine runs,
        `on_failure` is called with the machine and the error.  `meanwhile` is called now and then while a
        call runs; an exception from it ends the machine.

        Raises libguestfs-missing, kernel-for-appliance-missing, qemu-missing, qemu-too-old,
        appliance-launch-timeout, appliance-launch-failed.
        """
        python, kernel = guestfs_python(), find_kernel()
        require_system()
        require_qemu_img()
        request = {
            "drives": [{**asdict(drive), "path": str(drive.path.absolute())} for drive in drives],
            "tool_tree": tool_tree,
            "accelerator_setting": f"force_{accelerator.name}",
            "cachedir": str(_appliance_folder(cache, kernel)),
            "memory_mib": memory_mib,
            "cpus": cpus or min(os.cpu_count() or 1, 4),
        }
        for retry in (False, True):
            try:
                # A verbose boot takes 50 % longer under TCG, so only the second launch is verbose.
                started = cls._launch(python, kernel, {**request, "verbose": retry}, log, events)
                started._on_failure = on_failure
                started._meanwhile = meanwhile
                return started
            except WorkerTimeoutError:
                if retry:
                    raise BootimgError(
                        "appliance-launch-timeout",
                        "the appliance did not start in time, twice",
                        context=[f"accelerator: {accelerator}", f"log: {log}", *_tail(log)],
                        hint="see the log; on a busy machine try again, with KVM suspected try --accel tcg",
                    ) from None
                events.message("the appliance did not start in time; starting it once more", "warning")
        raise AssertionError("unreachable")

    @classmethod
    def _launch(
        cls, python: Path, kernel: Kernel, request: Mapping[str, Any], log: Path, events: Events
    ) -> Self:
        resources = ExitStack()
        scratch = resources.enter_context(scratch_folder(_scratch_parent(), SCRATCH))
        request = {**request, "cachedir": _cachedir(request["cachedir"], scratch, events)}
        built = any(Path(request["cachedir"]).glob(".guestfs-*/appliance.d/root"))
        deadline = LAUNCH_DEADLINE if built else APPLIANCE_BUILD_DEADLINE
        environment = {
            **kernel.supermin_environment(),
            "XDG_RUNTIME_DIR": str(scratch),
            "TMPDIR": str(scratch),
        }
        channel: Channel | None = None
        try:
            with events.step("appliance", "start the appliance") as step:
                channel = Channel(python, scratch, log, environment)
                answer = channel.call("start", deadline, scratch=str(scratch), **request)
                if not answer["ok"]:
                    raise _launch_error(answer["message"], log)
                step.result(request["accelerator_setting"].removeprefix("force_"))
        except BaseException as error:
            if channel:
                channel.kill()
            resources.close()
            if isinstance(error, WorkerGoneError):
                raise _launch_error("the process that starts it ended", log) from None
            raise
        growing = [Path(drive["path"]) for drive in request["drives"] if not drive["readonly"]]
        appliance = cls(channel, answer["devices"], growing, scratch, log)
        appliance._resources = resources
        appliance._events = events
        return appliance

    def device(self, label: str, partition: int | None = None) -> str:
        """The device of a drive in the appliance, such as /dev/sda, or of a partition, such as /dev/sda3."""
        return self._devices[label] + (str(partition) if partition else "")

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        input: bytes | None = None,
    ) -> bytes:
        """Run a program of the tool tree and return its stdout, of any size.

        After `timeout` seconds the virtual machine is killed (`appliance-timeout`).  An exit code other
        than 0 raises `appliance-command-failed`; 127 means that the tree lacks the program.
        """
        output = self._scratch / "output"
        source = None
        if input is not None:
            source = self._scratch / "input"
            source.write_bytes(input)
        started = time.monotonic()
        answer = self._call(
            "run",
            timeout,
            shlex.join(argv)[:400],
            argv=list(argv),
            env={**ENVIRONMENT, **(env or {})},
            input=str(source) if source else None,
            output=str(output),
        )
        seconds = time.monotonic() - started
        self._events.message(f"appliance: {seconds:.1f} s: {shlex.join(argv)[:200]}", "debug")
        if answer["status"]:
            raise BootimgError(
                "appliance-command-failed",
                f"{argv[0]} exited with {answer['status']} in the appliance",
                context=[shlex.join(argv)[:400], *_last_lines(answer["stderr"]), f"log: {self.log}"],
            )
        return output.read_bytes()

    def put(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Write a file in the appliance, with these permissions; its folder must exist."""
        local = self._scratch / "put"
        local.write_bytes(data)
        self.upload(local, path, mode)

    def get(self, path: str) -> bytes:
        """The content of a file in the appliance."""
        local = self._scratch / "get"
        self.download(path, local)
        return local.read_bytes()

    def upload(self, local: Path, path: str, mode: int = 0o644) -> None:
        """Copy a file of this machine to `path` in the appliance."""
        self._call("put", FILE_DEADLINE, f"put {path}", local=str(local.absolute()), path=path, mode=mode)

    def download(self, path: str, local: Path) -> None:
        """Copy the file `path` of the appliance to this machine."""
        self._call("get", FILE_DEADLINE, f"get {path}", path=path, local=str(local.absolute()))

    def close(self) -> None:
        """Write everything to the drives, unmount and power off; a second call does nothing."""
        if self._channel is None:
            return
        try:
            self._call("close", CLOSE_DEADLINE, "shutdown")
        finally:
            self.kill()

    def kill(self) -> None:
        """End the virtual machine at once; data that it has not written is lost."""
        if self._channel is not None:
            self._channel.kill()
            self._channel = None
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        try:
            if isinstance(error, BootimgError) and self._channel and self._on_failure:
                self._on_failure(self, error)
        finally:
            self.kill()

    def _call(self, name: str, timeout: float, what: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
        if self._channel is None:
            raise _died(what, "it was closed or killed before", self.log)
        try:
            answer = self._channel.call(name, timeout, self._look, **arguments)
        except WorkerTimeoutError:
            self.kill()
            raise BootimgError(
                "appliance-timeout",
                f"the appliance was killed: the command did not end within {timeout:.0f} s",
                context=[what, f"log: {self.log}", *_tail(self.log)],
            ) from None
        except WorkerGoneError:
            self.kill()
            raise _died(what, "the process that drives it ended", self.log) from None
        except BaseException:
            # Interrupted: the next call must not read the answer to this one.
            self.kill()
            raise
        if not answer["ok"]:
            raise self._failure(answer, what)
        return answer

    def _look(self) -> None:
        """Raise `no-space-left` in time: QEMU stops the machine for ever if a drive's file cannot grow."""
        self._meanwhile()
        for drive in self._growing:
            require_space(drive, FULL)

    def _failure(self, answer: Mapping[str, Any], what: str) -> BootimgError:
        if answer["kind"] == "died":
            self.kill()
            return _died(what, answer["message"], self.log)
        return BootimgError(
            "appliance-call-failed",
            f"a call of the appliance failed: {what}",
            context=[*_last_lines(answer["message"]), f"log: {self.log}"],
        )


def _died(what: str, why: str, log: Path) -> BootimgError:
    return BootimgError(
        "appliance-died",
        "the appliance's virtual machine is gone",
        context=[what, *_last_lines(why), f"log: {log}", *_tail(log)],
    )


def _launch_error(message: str, log: Path) -> BootimgError:
    return BootimgError(
        "appliance-launch-failed",
        "the appliance could not be started",
        context=[*_last_lines(message), f"log: {log}", *_tail(log)],
        hint="`bootimg doctor` checks what it needs",
        exit_code=ExitCode.ENVIRONMENT,
    )


def _appliance_folder(cache: Cache, kernel: Kernel) -> Path:
    # libguestfs does not notice that the caller wants another kernel.
    key = hashlib.sha256(kernel.identity.encode()).hexdigest()[:16]
    folder = cache.folder("appliance") / key
    folder.mkdir(exist_ok=True)
    return folder.absolute()


def _scratch_parent() -> Path:
    # libguestfs puts sockets there; their paths must be shorter than 108 bytes.
    parent = temporary_root()
    return parent if len(str(parent)) < 40 and _PLAIN.fullmatch(str(parent)) else Path("/tmp")


def _cachedir(folder: str, scratch: Path, events: Events) -> str:
    """The folder, or `scratch` if supermin cannot use its path.

    supermin passes paths to shells and to mke2fs without quoting, and libguestfs resolves symlinks in them.
    """
    if _PLAIN.fullmatch(folder):
        return folder
    events.message(
        f"libguestfs cannot keep its appliance in {folder}, because the path has blanks or special"
        " characters: it is made again each time",
        "warning",
    )
    return str(scratch)


def _last_lines(text: str, count: int = 8) -> list[str]:
    return text.strip().splitlines()[-count:]


def _tail(log: Path, count: int = 5) -> list[str]:
    """The last lines of the console, without libguestfs' own trace."""
    try:
        with log.open("rb") as handle:
            handle.seek(max(0, log.stat().st_size - 16384))
            lines = handle.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return [line.strip() for line in lines if line.strip() and not line.startswith("libguestfs: trace")][
        -count:
    ]

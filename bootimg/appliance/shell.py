"""A shell in an appliance after a failure, for `--debug-shell`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO

from bootimg.errors import BootimgError

TIMEOUT = 60
"""Seconds that a command may take; `:timeout` changes it."""
_GRACE = 30
_GONE = ("appliance-died", "appliance-timeout")
_STATUS, _FOLDER = b"\0status:", b"\0folder:"
# A command that does not end must not end the machine, which would lose what is mounted in it.
_OUTER = """timeout -k 5 "$3" sh -c "$4" sh "$1" "$2"; printf '\\0status:%s' "$?" """
_INNER = """exec 2>&1; trap 's=$?; printf "\\0folder:%s" "$PWD"; exit $s' EXIT; cd "$1" && eval "$2" """
_WELCOME = """\
The appliance still runs, and everything is still mounted: / is the tool tree, /sysroot the disk's root.
sh -c runs each line; `:timeout SECONDS` is for commands that take longer; ^D or `exit` ends the shell."""


class Runner(Protocol):
    """The call of an appliance that the shell needs."""

    def run(  # noqa: D102
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        input: bytes | None = None,
    ) -> bytes: ...


@dataclass
class DebugShell:
    """Reads commands from `source`, one a line, and writes their output to `sink`."""

    source: TextIO
    sink: TextIO
    folder: str = "/"
    timeout: int = TIMEOUT

    def __call__(self, vm: Runner, error: BootimgError) -> None:
        """Run commands until the input or the machine ends; `error` is the reason for the shell."""
        self._say("\n".join([f"failed: {error.message}", *(f"  {line}" for line in error.context), _WELCOME]))
        while line := self._line():
            words = line.split()
            if words == ["exit"]:
                return
            if words and words[0] == ":timeout":
                self._set_timeout(words[1:])
            elif words and not self._run(vm, line):
                return
        self._say("")

    def _line(self) -> str:
        self.sink.write(f"appliance:{self.folder}# ")
        self.sink.flush()
        return self.source.readline()

    def _set_timeout(self, words: Sequence[str]) -> None:
        if len(words) == 1 and words[0].isdecimal() and int(words[0]):
            self.timeout = int(words[0])
        self._say(f"commands are ended after {self.timeout} s")

    def _run(self, vm: Runner, line: str) -> bool:
        """Run one command; False if the machine has ended."""
        argv = ["sh", "-c", _OUTER, "sh", self.folder, line, str(self.timeout), _INNER]
        try:
            output = vm.run(argv, timeout=self.timeout + _GRACE)
        except BootimgError as error:
            self._say("\n".join([error.message, *error.context]))
            return error.id not in _GONE
        self._show(output)
        return True

    def _show(self, output: bytes) -> None:
        text, _, status = output.rpartition(_STATUS)
        body, ended, folder = text.rpartition(_FOLDER)
        if ended:
            self.folder = folder.decode(errors="replace")
        shown = (body if ended else text).decode(errors="replace")
        if shown:
            self._say(shown.removesuffix("\n"))
        if status == b"124":
            self._say(f"(ended after {self.timeout} s)")
        elif status != b"0":
            self._say(f"(exited with {status.decode(errors='replace')})")

    def _say(self, text: str) -> None:
        self.sink.write(text + "\n")
        self.sink.flush()

"""The log file of a serial console, read while it grows."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

# Colours and cursor movements (ECMA-48 control sequences), other escapes, carriage returns.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\^_=>c]|\r|\x00")
# The last messages of a kernel, if neither a crash kernel nor a reboot follows, and of systemd.
_STANDSTILLS = {
    "the guest's kernel panicked": re.compile(r"^\[ *\d+\.\d+\] ---\[ end Kernel panic", re.MULTILINE),
    "the guest's systemd failed and froze": re.compile(
        r"^(?:\[ *\d+\.\d+\] )?systemd\[1\]: Freezing execution", re.MULTILINE
    ),
}
_UNFINISHED = re.compile(r"\x1b(\[[0-?]*[ -/]*)?$")


class Console:
    """The text of a console, without colours; each search starts where the last match ended."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.text = ""
        self._offset = 0
        self._pending = ""
        self._searched = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def poll(self) -> bool:
        """Read what was added to the log; returns whether there was anything."""
        try:
            with self.log.open("rb") as handle:
                handle.seek(self._offset)
                data = handle.read()
        except FileNotFoundError:
            return False
        self._offset += len(data)
        raw = self._pending + self._decoder.decode(data)
        cut = match.start() if (match := _UNFINISHED.search(raw)) else len(raw)
        self._pending = raw[cut:]
        self.text += _CONTROL.sub("", raw[:cut])
        return bool(data)

    def search(self, pattern: str) -> re.Match[str] | None:
        """The next match (multi-line mode); later searches start after it."""
        match = re.compile(pattern, re.MULTILINE).search(self.text, self._searched)
        if match:
            self._searched = match.end()
        return match

    @property
    def standstill(self) -> str | None:
        """Why the system will do nothing more, in words; None if it goes on."""
        return next((why for why, said in _STANDSTILLS.items() if said.search(self.text)), None)

    def tail(self, count: int = 8) -> list[str]:
        """The last lines that are not empty."""
        return [line for line in self.text[-16384:].splitlines() if line.strip()][-count:]

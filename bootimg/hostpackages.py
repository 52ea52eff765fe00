"""The command that installs a program, by the family of the distribution."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

OS_RELEASE = Path("/etc/os-release")


@dataclass(frozen=True, slots=True)
class Packages:
    """The packages that have a program: `apt` names those of Debian and Ubuntu, `dnf` of Fedora and RHEL."""

    apt: str
    dnf: str

    def hint(self) -> str:
        """The command for this machine, or both commands if the family is not known."""
        commands = {"apt": f"apt install {self.apt}", "dnf": f"dnf install {self.dnf}"}
        family = distribution_family()
        return f"`{commands[family]}`" if family else " or ".join(f"`{line}`" for line in commands.values())


def distribution_family(os_release: Path | None = None) -> str | None:
    """`apt`, `dnf` or None, from ID and ID_LIKE of os-release(5)."""
    try:
        text = (os_release or OS_RELEASE).read_text()
    except OSError:
        return None
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    ids = {word for key in ("ID", "ID_LIKE") for word in " ".join(shlex.split(fields.get(key, ""))).split()}
    if ids & {"debian", "ubuntu"}:
        return "apt"
    if ids & {"fedora", "rhel", "centos"}:
        return "dnf"
    return None

"""/etc/selinux/config: the policy that the layer labels its files by.

libselinux and libostree read the file by different rules: of spaces, of letters, of which line counts.  So it
may have only what both read alike, and libostree gets a file that is written from what was read here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree
from bootimg.untrusted.textfile import text_lines

PATH = "etc/selinux/config"
_MODE, _TYPE = "SELINUX", "SELINUXTYPE"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ENABLED = ("enforcing", "permissive")


@dataclass(frozen=True, slots=True)
class SelinuxConfig:
    """`policy` names a folder of /etc/selinux, empty where the file names none."""

    policy: str = ""
    enabled: bool = False

    def text(self) -> bytes:
        """A file that says the same."""
        return f"{_MODE}={_ENABLED[0] if self.enabled else 'disabled'}\n{_TYPE}={self.policy}\n".encode()


def read_selinux_config(tree: Tree) -> SelinuxConfig:
    """The layer's file, where it has one; `selinux-config-malformed`."""
    # A layer in ostree's own layout has its /etc in /usr/etc.
    for path in (PATH, f"usr/{PATH}"):
        if tree.exists(path):
            return parse_selinux_config(tree.read(path))
    return SelinuxConfig()


def parse_selinux_config(data: bytes) -> SelinuxConfig:
    """What the file says; `selinux-config-malformed` where programs would not agree about it."""
    values: dict[str, str] = {}
    for line in text_lines(data, _malformed):
        key, equals, value = line.partition("=")
        if line.lstrip().startswith("#") or not equals:
            continue
        # libselinux takes a name in small letters and after blanks too.
        if (name := key.strip().upper()) not in (_MODE, _TYPE):
            continue
        if key != name:
            raise _malformed(f"{key!r:.80} is not written as {name}=")
        if value[:1].isspace():
            raise _malformed(f"{name}= is followed by a blank")
        if name in values:
            raise _malformed(f"{name} stands twice")
        values[name] = value.rstrip()
    policy = values.get(_TYPE, "")
    if policy and not _NAME.fullmatch(policy):
        raise _malformed(f"{policy!r:.80} is not the name of a policy")
    return SelinuxConfig(policy, values.get(_MODE, "").lower().startswith(_ENABLED))


def _malformed(why: str) -> BootimgError:
    return BootimgError(
        "selinux-config-malformed",
        f"/{PATH} of the image is not what all programs read alike: {why}",
        hint="write it as two lines: SELINUX=enforcing and SELINUXTYPE=targeted",
        exit_code=ExitCode.USAGE,
    )

"""The settings of one cloud: its block in the pipeline's file, with what the command line overrides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import shown
from bootimg.untrusted.node import Fields, Node

_LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Settings:
    """Typed values; a value of the wrong type is `cloud-setting-invalid`.

    `where` names the source, for errors.  A list may also be one text.
    """

    where: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def text(self, key: str) -> str | None:
        """The text under a key; None without one."""
        return self._fields.take(key, str) or None

    def needed(self, key: str, hint: str) -> str:
        """The text under a key that has to be there; else `cloud-setting-missing` with this hint."""
        found = self.text(key)
        if found is None:
            raise self.missing(f"does not set {key}", hint)
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """The texts under a key."""
        found = self.values.get(key)
        if isinstance(found, str):
            return (found,)
        return self._listed.each(key, str)

    def flag(self, key: str) -> bool:
        """The flag under a key; False without one."""
        return bool(self._fields.take(key, bool))

    def one_of(self, key: str, *allowed: str) -> str:
        """The text under a key, which is one of these; the first without one."""
        found = self.text(key) or allowed[0]
        if found not in allowed:
            raise self.invalid(f"{key} is {shown(found)}, not {' or '.join(allowed)}")
        return found

    def endpoint(self, key: str) -> str | None:
        """The URL under a key; None without one.

        Credentials are sent to it, so that it has to be of https, but for servers on this machine.
        """
        found = self.text(key)
        if found is None:
            return None
        if not _is_safe(found):
            raise self.invalid(f"{key} is not a URL of https, or has a password in it")
        return found

    def pairs(self, key: str) -> dict[str, str]:
        """The texts `NAME=VALUE` under a key."""
        found = {}
        for each in self.texts(key):
            name, equals, value = each.partition("=")
            if not (name and equals):
                raise self.invalid(f"{key} has {shown(each)}, which is not NAME=VALUE")
            found[name] = value
        return found

    def missing(self, what: str, hint: str) -> BootimgError:
        """The error for a setting that has to be there; `what` says what the source does not do."""
        message = f"{self.where} {what}"
        return BootimgError("cloud-setting-missing", message, hint=hint, exit_code=ExitCode.USAGE)

    def invalid(self, why: str) -> BootimgError:
        """The error for a value that cannot be."""
        return BootimgError(
            "cloud-setting-invalid",
            f"{self.where}: {why}",
            hint="the page of the cloud in docs/clouds lists its settings",
            exit_code=ExitCode.USAGE,
        )

    @property
    def _fields(self) -> Fields:
        return Fields(Node(dict(self.values), self.invalid))

    @property
    def _listed(self) -> Fields:
        lists = {key: list(each) if isinstance(each, tuple) else each for key, each in self.values.items()}
        return Fields(Node(lists, self.invalid))


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, user = parts.hostname, parts.username
    except ValueError:
        return False
    local = parts.scheme == "http" and host in _LOCAL
    return bool(host) and user is None and (parts.scheme == "https" or local)

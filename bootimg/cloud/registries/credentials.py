"""The login for a registry, found where skopeo and podman find it: containers-auth.json(5).

Secrets come from files and credential helpers alone.  They are in no message and no representation.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bootimg import process
from bootimg.errors import BootimgError, ExitCode
from bootimg.sizes import MIB
from bootimg.untrusted.files import read_start
from bootimg.untrusted.jsonfile import find_object
from bootimg.untrusted.node import Fields, Node

DOCKER_HUB = "docker.io"
_HUB_KEY = "https://index.docker.io/v1/"
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_HELPER_SECONDS = 30.0
_TOKEN_USER = "<token>"


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password, or an identity token, which the token server exchanges."""

    user: str = field(repr=False)
    password: str = field(repr=False)
    identity_token: str | None = field(default=None, repr=False)

    @property
    def basic(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def find_login(repository: str, authfile: Path | None) -> Login | None:
    """The login for a repository (`host/path`), None without one; `registry-credentials-invalid`.

    The entry of the longest matching prefix counts, as in podman.
    """
    if authfile is None and os.environ.get("REGISTRY_AUTH_FILE"):
        authfile = Path(os.environ["REGISTRY_AUTH_FILE"])
    for path in [authfile] if authfile is not None else _default_files():
        tree = _read(path, needed=authfile is not None)
        found = _in_file(tree, repository, path) if tree is not None else None
        if found is not None:
            return found
    return None


def _default_files() -> Iterator[Path]:
    if folder := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(folder, "containers/auth.json")
    home = os.environ.get("HOME", "/nonexistent")
    yield Path(os.environ.get("XDG_CONFIG_HOME") or f"{home}/.config", "containers/auth.json")
    yield Path(home, ".docker/config.json")


def _read(path: Path, *, needed: bool) -> Fields | None:
    try:
        data = read_start(path, MIB, any_kind=True)
    except OSError as error:
        if not needed and not isinstance(error, PermissionError):
            return None
        raise _invalid(path, str(error.strerror)) from None
    # What is wrong is said without the values, which are secrets.
    tree = find_object(data)
    if tree is None:
        raise _invalid(path, "it is not a JSON object")
    return Fields(Node(tree, lambda _: _invalid(path, "it is not as containers-auth.json(5) says")))


def _in_file(tree: Fields, repository: str, path: Path) -> Login | None:
    host = repository.partition("/")[0]
    helper = tree.nested("credHelpers").take(host, str)
    if helper is not None:
        return _from_helper(helper, host, path)
    auths = tree.members("auths")
    for key in _keys(repository):
        if key in auths:
            found = _of_entry(auths[key].fields(), path)
            if found is not None:
                return found
    store = tree.take("credsStore", str)
    return _from_helper(store, host, path) if store else None


def _keys(repository: str) -> Iterator[str]:
    """The keys under which a repository's login may stand, the most exact first."""
    parts = repository.split("/")
    for length in range(len(parts), 0, -1):
        yield "/".join(parts[:length])
    yield from (f"https://{parts[0]}", f"https://{parts[0]}/v1/", f"https://{parts[0]}/v2/")
    if parts[0] == DOCKER_HUB:
        yield _HUB_KEY


def _of_entry(entry: Fields, path: Path) -> Login | None:
    identity, text = entry.take("identitytoken", str), entry.take("auth", str)
    if not text:
        return Login("", "", identity) if identity else None
    try:
        user, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise _invalid(path, "an entry's `auth` is not base64 of USER:PASSWORD") from None
    if not colon:
        raise _invalid(path, "an entry's `auth` is not base64 of USER:PASSWORD")
    return Login(user, password.rstrip("\0"), identity)


def _from_helper(name: str, host: str, path: Path) -> Login | None:
    if not _HELPER.fullmatch(name):
        raise _invalid(path, "the name of a credential helper cannot be")
    server = _HUB_KEY if host == DOCKER_HUB else host
    program = f"docker-credential-{name}"
    done = process.run([program, "get"], input=server.encode(), timeout=_HELPER_SECONDS, check=False)
    if done.returncode:
        return None
    answer: Mapping[str, Any] = find_object(done.stdout) or {}
    user, secret = answer.get("Username"), answer.get("Secret")
    if not isinstance(user, str) or not isinstance(secret, str):
        raise _invalid(path, f"{program} did not answer with a login")
    return Login("", "", secret) if user == _TOKEN_USER else Login(user, secret)


def _invalid(path: Path, why: str) -> BootimgError:
    return BootimgError(
        "registry-credentials-invalid",
        f"the credentials in {path} cannot be read",
        context=[why],
        hint="correct the file of --authfile or REGISTRY_AUTH_FILE, or log in again: `skopeo login HOST`",
        exit_code=ExitCode.USAGE,
    )

"""Detached signatures with gpg: signing with a key of the user, checking with key files or the keyring."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bootimg.atomic import temporary_folder
from bootimg.errors import BootimgError, ExitCode
from bootimg.process import Completed, failure, require, run

# An hour in seconds, as in coreos-assembler's sign: agents may ask a person, and files are large.
_PATIENCE = 3600.0
_ENVIRONMENT = ("GNUPGHOME", "GPG_TTY", "DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS")
_NOT_GOOD = ("BADSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "ERRSIG")


@dataclass(frozen=True, slots=True)
class Checked:
    """gpg's verdict on a signature: whether it is good, the key's fingerprints, and the reason if not."""

    good: bool
    fingerprints: tuple[str, ...] = ()
    reason: str = ""


def sign_with_key(file: Path, signature: Path, key: str) -> None:
    """Write a detached signature of the file with the user's key; `sign-failed` if gpg fails."""
    done = _gpg("--local-user", key, "--output", str(signature), "--detach-sign", "--", str(file))
    if done.returncode:
        error = failure(done)
        raise BootimgError(
            "sign-failed",
            f"gpg cannot sign with the key {key}",
            context=error.context,
            hint="`gpg --list-secret-keys` lists the keys; GNUPGHOME names their folder",
        )


def fingerprints(key: str) -> tuple[str, ...]:
    """The fingerprints of a secret key and its subkeys: `sign-key-unknown` if gpg has no such key."""
    done = _gpg("--with-colons", "--list-secret-keys", "--", key)
    lines = [line.split(":") for line in done.stdout.decode(errors="replace").splitlines()]
    found = tuple(line[9] for line in lines if line[0] == "fpr" and len(line) > 9)
    if done.returncode or not found:
        raise BootimgError(
            "sign-key-unknown",
            f"gpg has no secret key {key}",
            context=done.stderr.decode(errors="replace").strip().splitlines()[-3:],
            hint="`gpg --list-secret-keys` lists the keys; GNUPGHOME names their folder",
            exit_code=ExitCode.USAGE,
        )
    return found


def check(file: Path, signature: Path, keys: Sequence[Path] = ()) -> Checked:
    """Check a detached signature: with the public keys in these files, else with the user's keyring.

    gpg's trust in a key is ignored: a user who names a key file, or imports a key, trusts it.
    """
    with ExitStack() as stack:
        words: list[str] = []
        if keys:
            home = stack.enter_context(temporary_folder("bootimg-gpg-"))
            words = ["--homedir", str(home), "--no-autostart"]
            _import(words, keys)
        done = _gpg(*words, "--status-fd", "1", "--verify", "--", str(signature), str(file))
    return _verdict(done)


def _verdict(done: Completed) -> Checked:
    lines = [line.split() for line in done.stdout.decode(errors="replace").splitlines()]
    status = [words[1:] for words in lines if words[:1] == ["[GNUPG:]"] and len(words) > 1]
    valid = [words for words in status if words[0] == "VALIDSIG"]
    bad = [words for words in status if words[0] in _NOT_GOOD]
    if valid and not bad and done.returncode == 0:
        # The signing key is first, its primary key last.
        return Checked(True, tuple({words[index] for words in valid for index in (1, -1)}))
    output = done.stderr.decode(errors="replace").strip().splitlines()
    return Checked(False, reason=output[-1] if output else "gpg does not say why")


def _import(words: Sequence[str], keys: Sequence[Path]) -> None:
    done = _gpg(*words, "--import", "--", *map(str, keys))
    if done.returncode:
        raise BootimgError(
            "sign-key-unknown",
            f"gpg finds no public key in {', '.join(map(str, keys))}",
            context=done.stderr.decode(errors="replace").strip().splitlines()[-3:],
            hint="`gpg --export KEY` writes such a file",
            exit_code=ExitCode.USAGE,
        )


def _gpg(*words: str) -> Completed:
    program = require("gpg", packages="gnupg")
    env = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return run([program, "--batch", "--yes", "--no-tty", *words], env=env, timeout=_PATIENCE, check=False)

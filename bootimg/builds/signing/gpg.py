"""Detached signatures with gpg: signing with a key of the user, checking with the keys that are named."""

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
class Keys:
    """The public keys that may have signed: exported keys in files, and keyrings of gpg.

    If neither is named, it is the user's keyring: that of GNUPGHOME, else of the home folder.  gpg's trust in
    a key is ignored: who names a file or a keyring trusts all keys in it.
    """

    files: tuple[Path, ...] = ()
    keyrings: tuple[Path, ...] = ()

    def __str__(self) -> str:
        named = [str(each) for each in (*self.keyrings, *self.files)]
        return ", ".join(named) or f"the user's keyring in {os.environ.get('GNUPGHOME') or '~/.gnupg'}"

    @property
    def named(self) -> bool:
        """Whether the user said which keys count."""
        return bool(self.files or self.keyrings)


USERS = Keys()
"""The user's keyring."""


@dataclass(frozen=True, slots=True)
class Checked:
    """gpg's verdict on a signature: whether it is good, the key's fingerprints, and the reason if not."""

    good: bool
    fingerprints: tuple[str, ...] = ()
    reason: str = ""


def sign_with_key(file: Path, signature: Path, key: str, keyrings: Sequence[Path] = ()) -> None:
    """Write a detached signature of the file with the user's key; `sign-failed` if gpg fails.

    The key is looked for in these keyrings, else in the user's; the agent has its secret part in any case.
    """
    done = _gpg(
        *_only(keyrings), "--local-user", key, "--output", str(signature), "--detach-sign", "--", str(file)
    )
    if done.returncode:
        error = failure(done)
        raise BootimgError(
            "sign-failed",
            f"gpg cannot sign with the key {key}",
            context=error.context,
            hint="`gpg --list-secret-keys` lists the keys; GNUPGHOME names their folder",
        )


def fingerprints(key: str, keyrings: Sequence[Path] = ()) -> tuple[str, ...]:
    """The fingerprints of a secret key and its subkeys: `sign-key-unknown` if gpg has no such key."""
    done = _gpg(*_only(keyrings), "--with-colons", "--list-secret-keys", "--", key)
    lines = [line.split(":") for line in done.stdout.decode(errors="replace").splitlines()]
    found = tuple(line[9] for line in lines if line[0] == "fpr" and len(line) > 9)
    if done.returncode or not found:
        raise BootimgError(
            "sign-key-unknown",
            f"gpg has no secret key {key} in {Keys(keyrings=tuple(keyrings))}",
            context=done.stderr.decode(errors="replace").strip().splitlines()[-3:],
            hint="`gpg --list-secret-keys` lists the keys; GNUPGHOME names their folder",
            exit_code=ExitCode.USAGE,
        )
    return found


def check(file: Path, signature: Path, keys: Keys = USERS) -> Checked:
    """Check a detached signature: nothing of the user's own keyring counts if keys are named.

    Raises `sign-key-unknown` for a file or a keyring without keys.
    """
    with ExitStack() as stack:
        words: list[str] = []
        if keys.named:
            home = stack.enter_context(temporary_folder("bootimg-gpg-"))
            words = ["--homedir", str(home), "--no-autostart"]
            _require_keys(words, keys.keyrings)
            if keys.files:
                _import(words, keys.files)
            words += _rings(keys.keyrings)
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


def _rings(keyrings: Sequence[Path]) -> list[str]:
    # gpg looks for a name without a slash in its own folder.
    return [word for each in keyrings for word in ("--keyring", str(each.absolute()))]


def _only(keyrings: Sequence[Path]) -> list[str]:
    return ["--no-default-keyring", *_rings(keyrings)] if keyrings else []


def _require_keys(words: Sequence[str], keyrings: Sequence[Path]) -> None:
    for each in keyrings:
        done = _gpg(*words, *_only([each]), "--with-colons", "--list-keys")
        if not any(line.startswith(b"pub:") for line in done.stdout.splitlines()):
            raise BootimgError(
                "sign-key-unknown",
                f"gpg finds no public key in the keyring {each}",
                context=done.stderr.decode(errors="replace").strip().splitlines()[-3:],
                hint="a file of `gpg --export --armor` is no keyring: `bootimg verify --key` takes it",
                exit_code=ExitCode.USAGE,
            )


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

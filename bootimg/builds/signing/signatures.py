"""Detached signatures of a build's artifacts, SBOM and provenance: `<file>.sig` beside each file.

`sign_build` makes them, `check_signatures` checks them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from bootimg.builds.companions import companion_file, companions
from bootimg.builds.find import Build, digest_of, require_digest
from bootimg.builds.folder import BuildDir
from bootimg.builds.layout import SIGNATURE
from bootimg.builds.signing import gpg
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.process import run
from bootimg.sizes import MIB

_LIMIT = MIB
_PATIENCE = 3600.0


class SignatureState(StrEnum):
    """The state of the signature of one artifact."""

    GOOD = "good"
    MISSING = "missing"
    BAD = "bad"
    """It does not match the file, its key is unknown, expired or revoked, or it is not a signature."""


@dataclass(frozen=True, slots=True)
class SignatureFinding:
    """The signature of one artifact; `reason` is gpg's if it is bad, `fingerprints` are the key's."""

    key: str
    path: Path
    state: SignatureState
    reason: str = ""
    fingerprints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signed:
    """An artifact that has a signature now; `cached` if it had a good one before."""

    key: str
    signature: Path
    cached: bool


class Signer(Protocol):
    """Makes signatures."""

    def sign(self, file: Path) -> None:
        """Write `<file>.sig`."""

    def accepts(self, file: Path, signature: Path) -> bool:
        """Whether an existing signature is as good as a new one."""


@dataclass(frozen=True, slots=True)
class GpgSigner:
    """Signs with gpg and a secret key of the user: an id, a fingerprint or an address.

    The key is one of those in `keyrings`, else in the user's keyring.
    """

    key: str
    keyrings: tuple[Path, ...] = ()

    def sign(self, file: Path) -> None:
        """Write `<file>.sig`, a binary signature."""
        gpg.sign_with_key(file, signature_of(file), self.key, self.keyrings)

    def accepts(self, file: Path, signature: Path) -> bool:
        """Whether it is a good signature made with that key."""
        found = gpg.check(file, signature, gpg.Keys(keyrings=self.keyrings))
        return found.good and bool(set(found.fingerprints) & set(gpg.fingerprints(self.key, self.keyrings)))


@dataclass(frozen=True, slots=True)
class CommandSigner:
    """Signs with the user's program, whose last argument is the file; the program writes `<file>.sig`.

    It gets the full environment, because its credentials may be there.
    """

    words: Sequence[str]

    def sign(self, file: Path) -> None:
        """Run the program; `program-failed` if it fails."""
        run([*self.words, str(file)], env=dict(os.environ), timeout=_PATIENCE)

    def accepts(self, file: Path, signature: Path) -> bool:
        """Whether it is newer than the file: bootimg cannot check the content of such a signature."""
        return signature.stat().st_mtime_ns >= file.stat().st_mtime_ns


def signature_of(file: Path) -> Path:
    """The path of a file's detached signature."""
    return file.with_name(f"{file.name}{SIGNATURE}")


def sign_build(
    folder: BuildDir, signer: Signer, events: Events, *, artifacts: Collection[str] = (), force: bool = False
) -> list[Signed]:
    """Sign these artifacts (all if empty) of a build whose lock the caller holds.

    All artifacts are checked before any signature is made; `artifact-damaged` if one does not match
    meta.json.  The signatures are published after the last one is made.
    """
    build = Build(folder.id, folder.arch, folder.path, folder.meta.read())
    files = {key: _file(build, key) for key in artifacts or _names(build)}
    wanted = [key for key, path in files.items() if force or not _has_good(signer, path)]
    made = {key: _made(folder, signer, files[key], events) for key in wanted}
    for key, signature in made.items():
        folder.publish(signature, signature_of(files[key]).name)
    return [Signed(key, signature_of(path), key not in made) for key, path in files.items()]


def check_signatures(build: Build, keys: gpg.Keys = gpg.USERS) -> Iterator[SignatureFinding]:
    """The state of the signature of each artifact that is here.

    Raises `sign-key-unknown` if a named file or keyring has no key, `program-missing` without gpg.
    """
    for key, name in _names(build).items():
        path = build.path / name
        if path.is_file():
            yield _finding(key, path, keys)


def _names(build: Build) -> dict[str, str]:
    """The names of the files to sign, by the artifacts' keys."""
    names = {key: str(entry["path"]) for key, entry in build.images.items()}
    return {**names, **{key: each.path for key, each in companions(build.path).items()}}


def _file(build: Build, key: str) -> Path:
    """The file of an artifact; `artifact-damaged` if it does not match the record."""
    if (found := companions(build.path).get(key)) is not None:
        return companion_file(build, found)
    path = build.artifact(key)
    require_digest(path, "sha256", build.images[key]["sha256"], digest_of(path))
    return path


def _finding(key: str, path: Path, keys: gpg.Keys) -> SignatureFinding:
    signature = signature_of(path)
    if not signature.is_file():
        return SignatureFinding(key, path, SignatureState.MISSING)
    found = gpg.check(path, signature, keys)
    state = SignatureState.GOOD if found.good else SignatureState.BAD
    return SignatureFinding(key, path, state, found.reason, found.fingerprints)


def _has_good(signer: Signer, path: Path) -> bool:
    signature = signature_of(path)
    return signature.is_file() and signature.stat().st_size > 0 and signer.accepts(path, signature)


def _made(folder: BuildDir, signer: Signer, path: Path, events: Events) -> Path:
    """A new signature in the scratch folder; a symlink there shows the artifact under its own name."""
    alias = folder.scratch / path.name
    alias.unlink(missing_ok=True)
    alias.symlink_to(path.absolute())
    with events.step(f"sign {path.name}", path.name):
        signer.sign(alias)
    signature = signature_of(alias)
    if signature.is_symlink() or not signature.is_file() or not 0 < signature.stat().st_size <= _LIMIT:
        raise BootimgError(
            "sign-failed",
            f"no signature of {path.name} was made",
            context=[f"{SIGNATURE} beside the file is missing, empty, or larger than {_LIMIT} bytes"],
            hint="the command gets the file as its last argument and must write its name with .sig",
        )
    return signature

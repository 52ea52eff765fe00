"""Signed statements beside the SBOM and the provenance of a build: `<file>.sigstore.json`.

The provenance is a statement itself.  The SBOM is the predicate of a statement about the layer, which it
describes: about its manifest and its archive.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bootimg.atomic import write_own
from bootimg.builds.companions import Companion, companion_file, companions
from bootimg.builds.find import Build, digest_of, require_digest
from bootimg.builds.folder import BuildDir
from bootimg.builds.layout import BUNDLE
from bootimg.builds.provenance.statement import SPDX, Statement
from bootimg.builds.signing.bundle import LIMIT, parse_bundle, sign_statement
from bootimg.builds.signing.cosignkey import PrivateKey, PublicKey
from bootimg.builds.signing.signatures import SignatureFinding, SignatureState, Signed
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.targets import ARCHIVE, PROVENANCE_KEY, SBOM_KEY
from bootimg.untrusted.files import read_start
from bootimg.untrusted.jsonfile import parse_object
from bootimg.untrusted.tree import Malformed, Refuse


@dataclass(frozen=True, slots=True)
class _Attested:
    """A file, the bytes of the statement that is signed, and where its bundle is."""

    key: str
    path: Path
    payload: bytes

    @property
    def bundle(self) -> Path:
        return bundle_of(self.path)


def bundle_of(file: Path) -> Path:
    """The path of a file's bundle."""
    return file.with_name(f"{file.name}{BUNDLE}")


def sign_attestations(
    folder: BuildDir, key: PrivateKey, events: Events, *, artifacts: Collection[str] = (), force: bool = False
) -> list[Signed]:
    """Sign SBOM and provenance (those of `artifacts`, if any are named) of a build whose lock is held.

    Before that all artifacts here are compared with meta.json, for which the provenance vouches:
    `artifact-damaged`.  A bundle that holds the same statement, signed with this key, stays.
    """
    build = Build(folder.id, folder.arch, folder.path, folder.meta.read())
    found = [each for each in _attested(build) if not artifacts or each.key in artifacts]
    wanted = [each for each in found if force or not _has_good(each, key.public)]
    if wanted:
        _require_whole(build)
    for each in wanted:
        with events.step(f"sign {each.bundle.name}", each.bundle.name):
            temporary = folder.scratch / each.bundle.name
            write_own(temporary, sign_statement(each.payload, key).dump())
            folder.publish(temporary, each.bundle.name)
    return [Signed(each.key, each.bundle, each not in wanted) for each in found]


def check_attestations(build: Build, keys: Sequence[PublicKey] = ()) -> Iterator[SignatureFinding]:
    """The state of each file's bundle: what it holds and, where keys are given, whether one signed it."""
    for key, each in companions(build.path).items():
        path = build.path / each.path
        if not path.is_file():
            continue
        if not bundle_of(path).is_file():
            yield SignatureFinding(key, path, SignatureState.MISSING)
            continue
        reason = _fault(build, key, each, keys)
        yield SignatureFinding(key, path, SignatureState.BAD if reason else SignatureState.GOOD, reason or "")


def _attested(build: Build) -> Iterator[_Attested]:
    for key, each in companions(build.path).items():
        path = companion_file(build, each)
        yield _Attested(key, path, _payload(build, key, path, partial(_no_statement, path)))


def _no_statement(path: Path, why: str) -> BootimgError:
    return BootimgError(
        "sign-failed",
        f"no statement can be made of {path.name}",
        context=[f"in its JSON {why}"],
        hint="make it again with `bootimg build … --force`",
    )


def _payload(build: Build, key: str, path: Path, refuse: Refuse = Malformed) -> bytes:
    """The bytes of the statement about a file; the error is `refuse`'s."""
    data = path.read_bytes()
    if key == PROVENANCE_KEY:
        return data
    assert key == SBOM_KEY
    entries = [build.images[each] for each in ARCHIVE.meta_keys if each in build.images]
    layer = {str(each["path"]): str(each["sha256"]) for each in entries}
    return Statement(layer, SPDX, parse_object(data, refuse).values).dump()


def _has_good(found: _Attested, key: PublicKey) -> bool:
    try:
        bundle = parse_bundle(read_start(found.bundle, LIMIT))
    except (FileNotFoundError, Malformed):
        return False
    return bundle.payload == found.payload and bundle.is_signed_by(key)


def _fault(build: Build, key: str, found: Companion, keys: Sequence[PublicKey]) -> str | None:
    path = build.path / found.path
    try:
        bundle, payload = parse_bundle(read_start(bundle_of(path), LIMIT)), _payload(build, key, path)
    except Malformed as error:
        return str(error)
    if bundle.payload != payload:
        return f"it holds another statement than the one about {path.name}"
    if keys and not any(bundle.is_signed_by(each) for each in keys):
        return "none of the keys has signed it"
    return None


def _require_whole(build: Build) -> None:
    for entry in build.images.values():
        path = build.path / str(entry["path"])
        if path.is_file():
            require_digest(path, "sha256", str(entry["sha256"]), digest_of(path))

"""`inspect` and `verify` of the Python API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bootimg import defaults
from bootimg.api.argument import is_disk, named_build
from bootimg.api.context import StrPath, arch_of, cache_in_use
from bootimg.arch import Arch
from bootimg.atomic import scratch_folder
from bootimg.builds.find import Build
from bootimg.builds.record import read_record
from bootimg.builds.signing.gpg import Keys
from bootimg.cache import Cache
from bootimg.checks.builds.buildfindings import build_findings
from bootimg.checks.builds.signaturerules import Signatures
from bootimg.checks.findings import Finding, errors
from bootimg.checks.node import NodeOnBase
from bootimg.checks.purity import Purity
from bootimg.checks.verifier import Verifier
from bootimg.disk.inspection import inspect_disk
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.formats.plainimage import plain_image
from bootimg.layer.fetching.fetch import RegistryOptions, fetch
from bootimg.orchestrator.inspection import inspect_build, inspect_image, inspect_iso
from bootimg.orchestrator.remaking.compare import Remade
from bootimg.orchestrator.remaking.remake import Means, remake
from bootimg.storage import storage_errors
from bootimg.targets import LAYER_KEY
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limits import DEFAULT, Limits
from bootimg.vm.image import image_format, is_iso

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What `verify` found.

    `not_opened` are the keys of the build's artifacts whose disks are in archives; it is None where nobody
    asked to open any.  `rebuilt` are the artifacts that were made again; it is None if none were to be.
    `node` is what a node image shares with its base; it is None if no base was given.
    `trusted` names the keyrings and files whose keys may have signed; it is None if no signature was checked.
    """

    kind: Literal["build", "disk", "image", "iso", "node"]
    subject: str
    findings: tuple[Finding, ...]
    not_opened: tuple[str, ...] | None = None
    rebuilt: tuple[Remade, ...] | None = None
    node: NodeOnBase | None = None
    trusted: str | None = None

    @property
    def good(self) -> bool:
        """Whether it may ship: no finding is an error."""
        return not errors(self.findings)

    def as_dict(self) -> Json:
        """The result as `bootimg verify --json` prints it."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "good": self.good,
            "findings": [each.as_dict() for each in self.findings],
            **({} if self.not_opened is None else {"not-opened": list(self.not_opened)}),
            **({} if self.trusted is None else {"trusted-keys": self.trusted}),
            **({} if self.rebuilt is None else {"rebuilt": [each.as_dict() for each in self.rebuilt]}),
            **({} if self.node is None else {"node": self.node.as_dict()}),
        }


@storage_errors()
def verify(
    what: StrPath,
    *,
    arch: Arch | str | None = None,
    builds: StrPath = defaults.BUILDS,
    purity: Purity | str = defaults.PURITY,
    allow: Sequence[str] = (),
    deep: bool = False,
    rebuild: bool = False,
    base: StrPath | None = None,
    accelerator: str = defaults.ACCELERATOR,
    signed: bool = False,
    keys: Sequence[StrPath] = (),
    cosign_keys: Sequence[StrPath] = (),
    keyrings: Sequence[StrPath] = (),
    jobs: int | None = None,
    registry: RegistryOptions | None = None,
    limits: Limits = DEFAULT,
    cache: StrPath | None = None,
    events: Events | None = None,
) -> Verification:
    """Say what is wrong with an image, a disk, a live ISO or a build, as `bootimg verify` does.

    `deep` opens the layer, the disk images and the live media of a build.  `rebuild` makes a build's images
    again and compares them; it is `command-line-invalid` for anything else.  `base` is a build or an image:
    then `what` is an image of OpenShift's nodes that has to be built on it.  `accelerator` is for the virtual
    machine that this may need once.  `signed` requires signatures.  The public keys in the files `keys` and
    in gpg's `keyrings` may have signed; without either, those in the user's keyring.  With `cosign_keys` SBOM
    and provenance must have bundles, by the public keys in these files.  Raises `BootimgError` for what
    cannot be looked at.
    """
    name, found_arch = str(what), arch_of(arch)
    with cache_in_use(cache) as used:
        verifier = Verifier(
            used, events or Events(), registry or RegistryOptions(), Purity(purity), tuple(allow), limits
        )
        if base is not None:
            return _verify_node(name, str(base), Path(builds), found_arch, verifier)
        if build := named_build(name, Path(builds), found_arch):
            trusted = Keys(tuple(map(Path, keys)), tuple(map(Path, keyrings)))
            signatures = Signatures(signed, trusted, tuple(map(Path, cosign_keys)))
            means = Means(cache=used, events=verifier.events, accelerator=accelerator,
                          jobs=jobs or defaults.jobs(), limits=limits)  # fmt: skip
            return _verify_build(name, build, verifier, signatures, means, deep=deep, rebuild=rebuild)
        if rebuild:
            raise _no_build(name)
        if is_disk(Path(name)):
            kind, inside = verifier.file(Path(name))
            return Verification(kind=kind, subject=name, findings=tuple(inside),
                                not_opened=() if deep else None)  # fmt: skip
        found = tuple(verifier.image(name, found_arch))
        return Verification(kind="image", subject=name, findings=found, not_opened=() if deep else None)


def _verify_node(name: str, base: str, builds: Path, arch: Arch, verifier: Verifier) -> Verification:
    build, disk = named_build(base, builds, arch), None
    if build is not None:
        base = f"oci-archive:{build.artifact(LAYER_KEY)}"
        disk = min((each.size for each in read_record(build.path).made.values() if each.size), default=None)
    facts, found = verifier.node(name, base, arch, disk)
    return Verification(kind="node", subject=name, findings=tuple(found), node=facts)


def _no_build(name: str) -> BootimgError:
    return BootimgError(
        "command-line-invalid",
        f"{name} is not a build: only a build can be made again",
        hint="name `latest`, a build's id or its folder, or leave out --rebuild",
        exit_code=ExitCode.USAGE,
    )


def _verify_build(
    name: str,
    build: Build,
    verifier: Verifier,
    signatures: Signatures,
    means: Means,
    *,
    deep: bool,
    rebuild: bool,
) -> Verification:
    found = build_findings(
        build, verifier.events, verifier.mode, verifier.allow, signatures, means.jobs, means.limits
    )
    remaking = remake(build, found, means) if rebuild else None
    closed: list[str] = []
    # A damaged file may not even open.
    for key, inside in verifier.opened(build) if deep and not errors(found) else ():
        found += inside or ()
        closed += [key] if inside is None else []
    return Verification(
        kind="build",
        subject=name,
        findings=(*found, *(remaking.findings if remaking else ())),
        not_opened=tuple(closed) if deep else None,
        rebuilt=remaking.artifacts if remaking else None,
        trusted=str(signatures.keys) if signatures.concern(build) else None,
    )


@storage_errors()
def inspect(
    what: StrPath,
    *,
    arch: Arch | str | None = None,
    builds: StrPath = defaults.BUILDS,
    registry: RegistryOptions | None = None,
    limits: Limits = DEFAULT,
    cache: StrPath | None = None,
    events: Events | None = None,
) -> Json:
    """Describe an image, a disk, a live ISO or a build, as `bootimg inspect --json` does.

    `kind` says which it is.  Raises `BootimgError` for what cannot be looked at.
    """
    name, found_arch, sent = str(what), arch_of(arch), events or Events()
    if build := named_build(name, Path(builds), found_arch):
        return inspect_build(build, limits)
    with cache_in_use(cache) as used:
        if is_disk(Path(name)):
            return _inspect_file(Path(name), used, sent, limits)
        options = registry or RegistryOptions()
        image = fetch(name, arch=found_arch, cache=used, events=sent, registry=options, limits=limits)
        return inspect_image(image, used, sent)


def _inspect_file(path: Path, cache: Cache, events: Events, limits: Limits) -> Json:
    # The root filesystem is copied into the cache, because /tmp can be memory.
    tmp = cache.folder("tmp")
    budget = Budget(limits)
    with scratch_folder(tmp, "inspect-") as folder, plain_image(path, cache, events, budget) as plain:
        if is_iso(plain):
            return {**inspect_iso(plain, folder, events, budget), "path": str(path)}
        document = inspect_disk(plain, image_format(plain), folder, budget)
    size = path.stat().st_size if path.is_file() else document["virtual-size"]
    return {**document, "path": str(path), "size": size}

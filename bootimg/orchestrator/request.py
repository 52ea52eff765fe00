"""The request for a build, and its outcome."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from bootimg import defaults
from bootimg.appliance import FailureHook
from bootimg.arch import Arch
from bootimg.builds.find import Build
from bootimg.checks.purity import Purity
from bootimg.disk.layer_deploy import DeployWay
from bootimg.errors import BootimgError
from bootimg.formats import Compressor, Written
from bootimg.layer.fetching.fetch import RegistryOptions
from bootimg.orchestrator.selection import NOTHING, Selection
from bootimg.platform import Platform, platforms
from bootimg.untrusted.limits import DEFAULT, Limits


class Builder(StrEnum):
    """What makes the disks: bootimg itself, or the program osbuild."""

    OWN = "own"
    OSBUILD = "osbuild"

    @classmethod
    def _missing_(cls, value: object) -> Builder | None:
        return cls.OWN if value == OLD_OWN else None


OLD_OWN = "guestfs"
"""The old name of Builder.OWN, still accepted."""


_BUILDER, _DEPLOY = Builder(defaults.BUILDER), DeployWay(defaults.DEPLOY)
_PURITY = Purity(defaults.PURITY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One build: a layer, an architecture, the platforms, and where the artifacts go.

    `size` is the virtual size of platform disks in bytes; it overrides image.json's.  `accelerator` is
    `auto`, `kvm` or `tcg`.  With `force` existing artifacts are made again, with `retry_failed` only
    those are made that failed in an earlier run.  With `compress` disks are compressed as they are
    written, with `compressor` where the layer sets none for the platform.  `jobs` is how many artifacts
    are made at a time.  `source` is the build whose archive has the layer, or None.
    `selection` has the reasons for the platforms.
    `version` is the one that the layer must have, because other architectures of the build have it.
    A `draft` of live media is made quicker and larger.
    `experimental` allows what nobody has seen to run, `host_keys` are the machines that can decrypt an image.
    `limits` are those of reading the layer.
    `purity` is the reaction to content of OpenShift in the layer, except to what `allow` names.

    For debugging: `stop_after` names the step to stop after, `keep` keeps the base disk's scratch folder,
    `on_failure` is called with the appliance in which something failed.
    """

    reference: str
    arch: Arch
    platforms: tuple[Platform, ...]
    builds: Path
    registry: RegistryOptions = field(default_factory=RegistryOptions)
    limits: Limits = DEFAULT
    target_imgref: str | None = None
    size: int | None = None
    accelerator: str = defaults.ACCELERATOR
    force: bool = False
    stop_after: str | None = None
    keep: bool = False
    on_failure: FailureHook | None = None
    builder: Builder = _BUILDER
    deploy: DeployWay = _DEPLOY
    source: Build | None = None
    compress: bool = False
    compressor: Compressor | None = None
    jobs: int = field(default_factory=defaults.jobs)
    retry_failed: bool = False
    selection: Selection = NOTHING
    version: str | None = None
    draft: bool = False
    experimental: bool = False
    host_keys: tuple[Path, ...] = ()
    purity: Purity = _PURITY
    allow: tuple[str, ...] = ()

    @property
    def disk_platforms(self) -> tuple[Platform, ...]:
        """The platforms whose disks are needed: for images, and for targets that are made from them."""
        named = {each.name: each for each in self.platforms}
        others = (name for target in self.selection.targets for name in target.made_from)
        known = platforms()
        return tuple((named | {name: known[name] for name in others if name not in named}).values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file of the build; it is `cached` if an earlier run made it.

    `note` says what people have to know of it.
    """

    key: str
    path: Path
    size: int
    sha256: str
    seconds: float
    cached: bool
    note: str | None = None

    @classmethod
    def of(cls, key: str, output: Written, started: float) -> Artifact:
        """An artifact that was written now; `started` is the start time on the monotonic clock."""
        seconds = time.monotonic() - started
        return cls(
            key=key,
            path=output.path,
            size=output.size,
            sha256=output.sha256,
            seconds=seconds,
            cached=False,
        )

    def as_dict(self) -> dict[str, object]:
        """The artifact as `--json` prints it."""
        return {
            "key": self.key,
            "path": str(self.path),
            "size": self.size,
            "sha256": self.sha256,
            "seconds": round(self.seconds, 3),
            "cached": self.cached,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a build made; `stopped_after` is the step after which it was told to stop.

    `kept` has the file or folder of every finished step, `failures` the errors of the platforms whose
    images could not be made, by name.  `sbom` is None if the layer's packages are not known, or the run was
    stopped before it; so is `provenance`.  `base_disks` are those that were needed, by sector size in bytes.
    """

    build_id: str
    arch: Arch
    path: Path
    artifacts: tuple[Artifact, ...]
    statistics: Mapping[str, object]
    sbom: Artifact | None = None
    provenance: Artifact | None = None
    base_disks: Mapping[int, Path] = field(default_factory=dict)
    failures: Mapping[str, BootimgError] = field(default_factory=dict)
    stopped_after: str | None = None
    kept: Mapping[str, Path] = field(default_factory=dict)
    selection: Selection = NOTHING

    def as_dict(self) -> dict[str, object]:
        """The outcome as `bootimg build --json` prints it."""
        return {
            "build": self.build_id,
            "arch": str(self.arch),
            "path": str(self.path),
            "artifacts": [artifact.as_dict() for artifact in self.artifacts],
            "sbom": self.sbom.as_dict() if self.sbom else None,
            "provenance": self.provenance.as_dict() if self.provenance else None,
            "base-disks": {str(size): str(path) for size, path in self.base_disks.items()},
            "failures": {name: error.as_dict() for name, error in self.failures.items()},
            "statistics": dict(self.statistics),
            "stopped-after": self.stopped_after,
            "kept": {step: str(path) for step, path in self.kept.items()},
            **self.selection.as_dict(),
        }

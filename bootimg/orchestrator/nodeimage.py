"""A node image for a guest: checked against what is booted, imported, and put on a drive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bootimg.arch import Arch
from bootimg.atomic import require_space, scratch_folder
from bootimg.builds.find import Build
from bootimg.cache import Cache
from bootimg.checks.bootedsystem import BootedKind, booted_system
from bootimg.checks.findings import Finding
from bootimg.checks.image import disk_size
from bootimg.checks.node import NodeOnBase, OpenedImage, live_space, node_on_base
from bootimg.checks.noderules import node_findings, of_another_base, system_base_findings
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.layer.fetching.fetch import RegistryOptions, fetch
from bootimg.layer.importing.importer import ImportedCommit, import_layer, write_repo_image
from bootimg.layer.tree.merged import open_tree
from bootimg.printable import printable
from bootimg.sizes import format_size
from bootimg.targets import LAYER_KEY
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limits import DEFAULT, Limits
from bootimg.vm.nodeimage.overlay import REF, NodeOverlay

_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """What is booted: an uncompressed file, and the build that it is of, if it is of one."""

    file: Path
    kind: BootedKind
    arch: Arch
    build: Build | None

    @property
    def archive(self) -> Path | None:
        """The archive of the build's layer, if it is there."""
        entry = self.build.images.get(LAYER_KEY) if self.build else None
        path = self.build.path / str(entry["path"]) if self.build and entry else None
        return path if path is not None and path.is_file() else None


@dataclass(frozen=True, slots=True)
class NodeImage:
    """A node image on a drive; `size` is that of its files in bytes."""

    overlay: NodeOverlay
    size: int


@dataclass(frozen=True, slots=True)
class Preparation:
    """Prepares node images, with what it needs from this machine."""

    cache: Cache
    events: Events
    registry: RegistryOptions = field(default_factory=RegistryOptions)
    limits: Limits = DEFAULT

    def prepare(self, reference: str, booted: Booted) -> NodeImage:
        """The node image `reference` for a guest that boots `booted`.

        Errors: `node-image-other-base`, `node-image-base-unknown`, and those of fetching and importing.
        """
        node = self._opened(reference, booted.arch)
        self._check(node, reference, booted)
        commit = import_layer(
            node.image, node.tree, repo=self.cache.folder("repo"), cache=self.cache, events=self.events
        )
        drive = self._drive(commit)
        return NodeImage(NodeOverlay(drive, live_space(booted.arch)), node.tree.size)

    def _opened(self, reference: str, arch: Arch) -> OpenedImage:
        cache, events = self.cache, self.events
        image = fetch(
            reference, arch=arch, cache=cache, events=events, registry=self.registry, limits=self.limits
        )
        return OpenedImage.of(image, open_tree(image, cache, events), cache.folder("tmp"))

    def _check(self, node: OpenedImage, reference: str, booted: Booted) -> None:
        if booted.archive is None:
            _refuse(reference, booted, self._against_system(node, booted))
            return
        base = self._opened(f"oci-archive:{booted.archive}", booted.arch)
        facts = node_on_base(node, base, disk_size(base.image, base.tree))
        found = list(node_findings(node, base, facts))
        _refuse(reference, booted, found)
        for each in found:
            self.events.message(str(each), "warning")
        self.events.message(_described(facts))

    def _against_system(self, node: OpenedImage, booted: Booted) -> list[Finding]:
        with scratch_folder(self.cache.folder("tmp"), "node-image-") as folder:
            system = booted_system(booted.file, booted.kind, folder, Budget(self.limits))
        if system is None or not system.packages:
            raise _unknown(booted)
        return list(system_base_findings(node.system, system))

    def _drive(self, commit: ImportedCommit) -> Path:
        folder = self.cache.folder("node-images")
        path = folder / f"{commit.checksum}.squashfs"
        with (
            self.events.step("node-image", "Writing the drive with the node image") as step,
            self.cache.locked("node-images", self.events),
        ):
            there = path.exists()
            if not there:
                require_space(path, commit.bytes)
                write_repo_image(self.cache.folder("repo"), _OneCommit(commit), path)
            step.result(format_size(path.stat().st_size), cached=there)
        return path


@dataclass(frozen=True, slots=True)
class _OneCommit:
    """A repository that has the image's commit under one ref."""

    commit: ImportedCommit

    @property
    def refs(self) -> Mapping[str, str]:
        return {REF: self.commit.checksum}

    @property
    def files(self) -> Mapping[str, int]:
        return self.commit.files


def _described(facts: NodeOnBase) -> str:
    added = f"{facts.layers - facts.layers_shared} layers, {format_size(facts.size_added)}"
    return f"node image   on its base {facts.base}, and {added} more"


def _refuse(reference: str, booted: Booted, found: Sequence[Finding]) -> None:
    wrong = of_another_base(found)
    if not wrong:
        return
    named = f"build {booted.build.id}" if booted.build else f"{booted.kind} {booted.file.name}"
    lines = [str(each) for each in wrong[:_SHOWN]]
    raise BootimgError(
        "node-image-other-base",
        printable(f"the node image {reference} is not built on the layer of the {named}"),
        context=[*lines, *([f"and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else [])],
        hint="boot the disk or the live media of the node image's own base, or rebuild the node image; "
        "`bootimg verify NODE_IMAGE --base BUILD|IMAGE` says what differs",
        exit_code=ExitCode.USAGE,
    )


def _unknown(booted: Booted) -> BootimgError:
    return BootimgError(
        "node-image-base-unknown",
        f"{booted.file} does not say which layer it is made of",
        context=["it has no single deployment with a package database that bootimg can read"],
        hint="boot a build that has the archive of its layer",
        exit_code=ExitCode.USAGE,
    )

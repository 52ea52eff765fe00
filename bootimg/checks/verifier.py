"""The findings of `bootimg verify` about an image, a disk, a live ISO, or what a build has of these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bootimg.arch import Arch
from bootimg.atomic import scratch_folder
from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.formats.plainimage import plain_image
from bootimg.targets import LAYER_KEY, platform_of_key
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limits import DEFAULT, Limits
from bootimg.vm.image import image_format, is_archive, is_iso

if TYPE_CHECKING:
    from bootimg.builds.find import Build
    from bootimg.checks.findings import Finding
    from bootimg.checks.livemedia.liveexpected import Expected
    from bootimg.checks.node import NodeOnBase
    from bootimg.checks.purity import Purity
    from bootimg.layer.fetching.fetch import RegistryOptions
    from bootimg.layer.image.fetched import Image
    from bootimg.layer.tree.merged import Tree

FileKind = Literal["disk", "iso"]


@dataclass(frozen=True, slots=True)
class Verifier:
    """Checks images, disks and ISOs; `mode` is the purity level, `allow` has the exceptions."""

    cache: Cache
    events: Events
    registry: RegistryOptions
    mode: Purity
    allow: tuple[str, ...]
    limits: Limits = DEFAULT

    def file(self, path: Path) -> tuple[FileKind, list[Finding]]:
        """Whether a file, compressed or not, is a disk image or an ISO, and the findings about it."""
        budget = Budget(self.limits)
        with plain_image(path, self.cache, self.events, budget) as plain:
            if is_iso(plain):
                return "iso", self._iso(plain, None, budget)
            return "disk", self._plain(plain, path.name, budget)

    def image(self, reference: str, arch: Arch) -> list[Finding]:
        """Findings about an OCI image."""
        from bootimg.checks.image import image_findings

        image, tree = self._tree(reference, arch)
        return image_findings(image, tree, self.cache.folder("tmp"), self.mode, self.allow)

    def node(
        self, reference: str, base: str, arch: Arch, disk: int | None
    ) -> tuple[NodeOnBase, list[Finding]]:
        """How a node image sits on a base, and the findings about both.

        `disk` is the size in bytes of the smallest disk that the base's build has, None for image.json's.
        """
        from bootimg.checks.image import disk_size, image_findings
        from bootimg.checks.node import OpenedImage, node_on_base
        from bootimg.checks.noderules import node_findings, of_base

        tmp = self.cache.folder("tmp")
        below, above = (OpenedImage.of(*self._tree(each, arch), tmp) for each in (base, reference))
        facts = node_on_base(above, below, disk or disk_size(below.image, below.tree))
        inside = image_findings(below.image, below.tree, tmp, self.mode, self.allow)
        return facts, [*node_findings(above, below, facts), *of_base(inside)]

    def _tree(self, reference: str, arch: Arch) -> tuple[Image, Tree]:
        from bootimg.layer.fetching.fetch import fetch
        from bootimg.layer.tree.merged import open_tree

        cache, events = self.cache, self.events
        image = fetch(
            reference, arch=arch, cache=cache, events=events, registry=self.registry, limits=self.limits
        )
        return image, open_tree(image, cache, events)

    def opened(self, build: Build) -> Iterator[tuple[str, list[Finding] | None]]:
        """The findings about a build's layer, disk images and live media, by key of meta.json.

        The findings are None for a disk in an archive.  Missing files are skipped.
        """
        there = {key: build.path / str(entry["path"]) for key, entry in build.images.items()}
        files = {key: path for key, path in there.items() if path.is_file()}
        for key, path in files.items():
            if key != LAYER_KEY and not platform_of_key(key):
                continue
            found = self.image(f"oci-archive:{path}", build.arch) if key == LAYER_KEY else self._disk(path)
            yield key, None if found is None else [_in(key, each) for each in found]
        yield from self._live(build, files)

    def _live(self, build: Build, files: Mapping[str, Path]) -> Iterator[tuple[str, list[Finding]]]:
        from bootimg.checks.livemedia.live import pxe_findings
        from bootimg.checks.livemedia.liveexpected import INITRD_KEY, ISO_KEY, ROOTFS_KEY, expected_of
        from bootimg.checks.livemedia.livesystem import system_of_image_findings

        if ISO_KEY in files:
            found = self._iso(files[ISO_KEY], expected_of(build), Budget(self.limits))
            yield ISO_KEY, [_in(ISO_KEY, each) for each in found]
        elif INITRD_KEY in files and ROOTFS_KEY in files:
            # An ISO has the same files, and their digests are compared.
            rootfs, budget = files[ROOTFS_KEY], Budget(self.limits)
            found = pxe_findings(files[INITRD_KEY], rootfs, expected_of(build), budget)
            with self._scratch() as folder:
                inside = system_of_image_findings(rootfs, folder, self.mode, self.allow, budget)
            yield ROOTFS_KEY, [*found, *(_in(ROOTFS_KEY, each) for each in inside)]

    def _iso(self, iso: Path, expected: Expected | None, budget: Budget) -> list[Finding]:
        from bootimg.checks.livemedia.live import iso_findings
        from bootimg.checks.livemedia.livesystem import system_of_iso_findings

        with self._scratch() as folder:
            inside = system_of_iso_findings(iso, folder, self.mode, self.allow, budget)
        return [*iso_findings(iso, expected, budget), *inside]

    def _disk(self, path: Path) -> list[Finding] | None:
        budget = Budget(self.limits)
        with plain_image(path, self.cache, self.events, budget) as disk:
            return None if is_archive(disk) else self._plain(disk, path.name, budget)

    def _plain(self, disk: Path, name: str, budget: Budget) -> list[Finding]:
        from bootimg.checks.disk import disk_findings

        with self._scratch() as folder:
            return disk_findings(
                disk, image_format(disk), folder, self.mode, self.allow, name=name, budget=budget
            )

    def _scratch(self) -> AbstractContextManager[Path]:
        # In the cache, because root filesystems and package databases are copied and /tmp may be in memory.
        return scratch_folder(self.cache.folder("tmp"), "verify-")


def _in(key: str, finding: Finding) -> Finding:
    return replace(finding, where=f"{key}: {finding.where}")

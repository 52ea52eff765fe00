"""Rules for the initramfs and the rootfs image of live media, on an ISO or for network boots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bootimg.checks.findings import Finding, finding
from bootimg.checks.livemedia.liveexpected import Expected
from bootimg.checks.rules import Rule
from bootimg.errors import BootimgError
from bootimg.live.malformed import MalformedError
from bootimg.live.reading.initramfs import LiveInitramfs, read_initramfs
from bootimg.live.reading.region import Region
from bootimg.live.reading.rootfs import LiveRootfs, read_rootfs
from bootimg.live.reading.wanthash import Compared, parse_want, sha256_of
from bootimg.untrusted.budget import Budget

_DAMAGED = ("live-archive-malformed", "live-rootfs-unreadable")


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A file of live media, and its name in findings."""

    name: str
    region: Region


@dataclass
class LiveFiles:
    """An initramfs and its rootfs image, None for one that does not exist.

    `expected` is what a build says of them; None for an ISO alone.
    """

    initramfs: LiveFile | None
    rootfs: LiveFile | None
    expected: Expected | None
    budget: Budget
    live: LiveInitramfs | None = None
    """What the initramfs has; known after `findings`."""
    rootfs_sha256: str | None = None
    """The SHA-256 of the rootfs image; known after `findings`, if there is an image."""

    def findings(self) -> Iterator[Finding]:
        """All findings about the files."""
        if self.initramfs is not None:
            yield from self._initramfs(self.initramfs)
        if self.rootfs is not None:
            yield from self._rootfs(self.rootfs)
            yield from self._stream_hash(self.rootfs)

    def _initramfs(self, file: LiveFile) -> Iterator[Finding]:
        try:
            self.live = read_initramfs(file.region, self.budget)
        except BootimgError as error:
            yield _unreadable(Rule.LIVE_INITRAMFS, file, error)
            return
        yield from self._version(file, self.live.version)
        if self.live.want_rootfs is None:
            message = "the live system cannot check a rootfs image that it downloads"
            yield finding(Rule.LIVE_STREAM_HASH, file.name, "no checksums", message)

    def _rootfs(self, file: LiveFile) -> Iterator[Finding]:
        try:
            root = read_rootfs(file.region, self.budget)
        except BootimgError as error:
            yield _unreadable(Rule.LIVE_ROOTFS, file, error)
            return
        yield from self._version(file, root.version)
        yield from self._equal_versions(file, root)
        yield from self._osmets(file, root)

    def _version(self, file: LiveFile, version: str | None) -> Iterator[Finding]:
        if version is None:
            message = "the live system does not know which files belong together"
            yield finding(Rule.LIVE_VERSION, file.name, "no version", message)
        elif self.expected is not None and version != self.expected.build_id:
            message = f"the build is {self.expected.build_id}"
            yield finding(Rule.LIVE_VERSION, file.name, version, message)

    def _equal_versions(self, file: LiveFile, root: LiveRootfs) -> Iterator[Finding]:
        own = None if self.live is None else self.live.version
        if own is not None and root.version is not None and root.version != own:
            message = f"the version of the initramfs is {own}: the live system refuses to boot"
            yield finding(Rule.LIVE_VERSION, file.name, root.version, message)

    def _osmets(self, file: LiveFile, root: LiveRootfs) -> Iterator[Finding]:
        for each in root.osmets:
            where = f"{file.name}, {each.name}"
            if each.facts is None:
                message = "an installation without a network is not possible"
                yield finding(Rule.LIVE_OSMET, where, each.problem, message)
                continue
            wanted = None if self.expected is None else self.expected.metals.get(each.facts.sector_size)
            if wanted not in (None, each.facts.sha256):
                message = f"the build's metal image with these sectors is {wanted}"
                yield finding(Rule.LIVE_OSMET, where, f"sha256 {each.facts.sha256}", message)

    def _stream_hash(self, file: LiveFile) -> Iterator[Finding]:
        """Findings about the checksums; the image is read once, for them and for its digest."""
        want, compared = None if self.live is None else self.live.want_rootfs, None
        if want is not None:
            try:
                compared = parse_want(want).compare(file.region)
            except MalformedError as error:
                message = "the checksums in the initramfs cannot be read"
                yield finding(Rule.LIVE_STREAM_HASH, file.name, error, message)
        compared = compared or Compared(sha256_of(file.region), None)
        self.rootfs_sha256 = compared.sha256
        if compared.difference is not None:
            message = "the live system refuses to boot it"
            yield finding(Rule.LIVE_STREAM_HASH, file.name, compared.difference, message)


def _unreadable(rule: Rule, file: LiveFile, error: BootimgError) -> Finding:
    if error.id not in _DAMAGED:
        raise error
    return finding(rule, file.name, "; ".join((str(error), *error.context)), "the live system does not start")

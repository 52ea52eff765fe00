"""The packages of builds: read once per layer and cached by the layer's digest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bootimg.arch import Arch
from bootimg.atomic import scratch_folder
from bootimg.browse.tree import ArchBuild
from bootimg.builds.layout import COMMIT_META
from bootimg.builds.names import safe_name
from bootimg.cache import Cache
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.layer.fetching.fetch import RegistryOptions, inspect
from bootimg.layer.tree.merged import is_open_tree
from bootimg.rpmdb.listcache import ListCache
from bootimg.rpmdb.lists import COMMIT_KEY, dump_list, in_order, parse_list
from bootimg.rpmdb.ofimage import PackageSource
from bootimg.rpmdb.package import Package
from bootimg.targets import LAYER_KEY
from bootimg.untrusted.files import open_regular

_LIMIT = 64 << 20
"""The largest commitmeta.json in bytes; coreos-assembler's record of a commit, with its packages."""


@dataclass(frozen=True, slots=True)
class Packages:
    """The packages of a build, in order; None with a reason if they are not known."""

    found: Sequence[Package] | None
    reason: str = ""


@dataclass
class PackageReader:
    """Reads packages; `lists` is the cache of lists.

    Equal packages share one object, because hundreds of builds have mostly the same packages.
    """

    cache: Cache
    events: Events
    lists: ListCache
    _known: dict[Package, Package] = field(default_factory=dict)

    def read(self, build: ArchBuild) -> Packages:
        """The packages of a build; an unreadable database gives a warning and a reason."""
        if build.state.problem is not None:
            return Packages(None, build.state.problem)
        try:
            packages = self._committed(build) or self._archived(build)
        except BootimgError as error:
            if error.id == "no-space-left" or error.exit_code is ExitCode.ENVIRONMENT:
                raise
            self.events.message(f"{build.id} {build.arch}: {error.message}", "warning")
            return Packages(None, error.message)
        if packages is None:
            return Packages(None, "the layer's archive is not in this tree of builds")
        return Packages([self._known.setdefault(each, each) for each in packages])

    def _committed(self, build: ArchBuild) -> Sequence[Package] | None:
        path = build.folder / COMMIT_META
        if not path.is_file():
            return None
        with open_regular(path) as file:
            return in_order(parse_list(file.read(_LIMIT), str(path), COMMIT_KEY))

    def _archived(self, build: ArchBuild) -> Sequence[Package] | None:
        name = build.image(LAYER_KEY).get("path")
        path = build.folder / safe_name(name, str(build.folder)) if name else None
        if path is None or path.suffix != ".ociarchive" or not path.is_file():
            return None
        reference, arch = f"oci-archive:{path.absolute()}", Arch.parse(build.arch)
        with self._cache_for(reference, arch) as cache:
            source = PackageSource(arch=arch, cache=cache, events=self.events, registry=RegistryOptions(),
                            lists=self.lists)  # fmt: skip
            # A fresh list has to be the same as a cached one.
            return in_order(parse_list(dump_list(source.packages(reference)), str(path)))

    @contextmanager
    def _cache_for(self, reference: str, arch: Arch) -> Iterator[Cache]:
        """The cache, if it has the layers; else a temporary one, because no build needs these layers."""
        if is_open_tree(inspect(reference, arch), self.cache):
            yield self.cache
            return
        with scratch_folder(self.cache.folder("tmp"), "browse-") as folder:
            yield Cache(folder)

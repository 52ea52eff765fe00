"""The packages of an image that a reference names, read in the cheapest way.

A node image (label `io.openshift.metalayer`) has the list in its last layer, so only that layer is fetched.
For any other image, and for a node image whose layers were made again, the package database is read.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.layer.fetching.fetch import RegistryOptions, fetch, inspect
from bootimg.layer.fetching.onelayer import one_layer
from bootimg.layer.image.fetched import Image
from bootimg.layer.tree.merged import Tree, open_tree
from bootimg.rpmdb.listcache import ListCache
from bootimg.rpmdb.lists import in_order, parse_list
from bootimg.rpmdb.package import Package
from bootimg.rpmdb.read import read_packages
from bootimg.sizes import MIB
from bootimg.untrusted.limits import DEFAULT, Limits

_METALAYER = "io.openshift.metalayer"
_META = "usr/share/openshift/base/meta.json"
_LARGEST = 16 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSource:
    """How images are fetched; `lists` is the cache of package lists, if there is one."""

    arch: Arch
    cache: Cache
    events: Events
    registry: RegistryOptions
    lists: ListCache | None = None
    limits: Limits = DEFAULT

    def packages(self, reference: str) -> list[Package]:
        """The packages of the image, without signing keys, in order.

        Errors: those of `fetch`, `rpmdb-missing`, `rpmdb-unreadable`, `rpmdb-list-malformed`.
        """
        image = inspect(reference, self.arch, self.registry, self.limits)
        with self.lists.locked() if self.lists else nullcontext():
            found = self.lists.load(image.digest) if self.lists else None
            if found is None:
                found = self._listed(image) or in_order(self.tree(reference)[2])
                if self.lists:
                    self.lists.store(image.digest, found)
        return found

    def tree(self, reference: str) -> tuple[Image, Tree, list[Package]]:
        """The image, its tree and all packages of its database; `rpmdb-missing` if it has no database."""
        image = fetch(
            reference,
            arch=self.arch,
            cache=self.cache,
            events=self.events,
            registry=self.registry,
            limits=self.limits,
        )
        tree = open_tree(image, self.cache, self.events)
        found = read_packages(tree, self.cache.folder("tmp"))
        if found is None:
            raise BootimgError(
                "rpmdb-missing",
                f"{image.reference} has no package database",
                hint="name an image of RPM or Debian packages that still has its database",
            )
        return image, tree, found

    def _listed(self, image: Image) -> list[Package] | None:
        if image.labels.get(_METALAYER) != "true":
            return None
        layer = one_layer(image, len(image.layers) - 1, self.cache, self.registry)
        tree = Tree([layer], budget=image.budget.fork()) if layer else None
        if tree is None or not tree.exists(_META):
            return None
        return parse_list(tree.read(_META, _LARGEST), f"/{_META} in {image.reference}")

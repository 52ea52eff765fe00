"""Runs the verbs for the two platforms of IBM, and reads what they leave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootimg.builds.find import find_build
from tests.integration.clouds.site import CloudSite
from tests.support.builds.filebuilds import ARCHES
from tests.support.clouds.cloudbuilds import BUILD
from tests.support.clouds.strictcos import StrictCos

HOME = "us-east"
SMALL_PARTS = {"bootimg_uploaders.ibm.objects._PART": 512 << 10}
NAMES = {
    "ibmcloud": f"rhcos-{BUILD}-x86_64-ibmcloud",
    "powervs": f"rhcos-{BUILD.replace('.', '-')}-ppc64le-powervs.ova.gz",
}


@dataclass(kw_only=True)
class Site(CloudSite):
    """The storage, the proxy before it, and a folder with builds."""

    cos: StrictCos
    platform: str = "ibmcloud"

    @property
    def name(self) -> str:
        """The name of the build's object."""
        return NAMES[self.platform]

    @property
    def words(self) -> tuple[str, ...]:
        """The words that every command has."""
        return ("-p", self.platform, "--set", "bucket=art", "--set", f"primary_region={HOME}",
                "--set", f"endpoint={self.proxy.url}/{{region}}")  # fmt: skip

    def retire(self, *regions: str, dry_run: bool = False) -> dict[str, str]:
        """Retire the objects, and return the state of each place."""
        overrides: dict[str, Any] = {"endpoint": f"{self.proxy.url}/{{region}}", "regions": list(regions)}
        return self.retired(overrides=overrides, dry_run=dry_run)

    def artifact(self) -> Path:
        """The build's artifact."""
        arch = ARCHES.get(self.platform)
        return find_build(self.builds, BUILD, arch).artifact(self.platform) if arch else self._only()

    def _only(self) -> Path:
        return self.path / str(self.meta()["images"][self.platform]["path"])

    def stored(self, region: str = HOME) -> bytes:
        """The content of the object of a region."""
        return self.cos.data(f"art-{region}", self.name)

    def make_buckets(self, regions: Iterable[str]) -> None:
        """Make the buckets of regions."""
        for each in regions:
            self.cos.make_bucket(f"art-{each}", each)

    def parts_sent(self) -> int:
        """How many requests with a part there were."""
        return sum("partNumber" in each.path for each in self.proxy.requests)

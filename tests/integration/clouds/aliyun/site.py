"""Runs the verbs for Alibaba Cloud, and reads what they leave."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.clouds.site import CloudSite
from tests.support.clouds.cloudbuilds import BUILD
from tests.support.clouds.strictaliyun import HOME, StrictAliyun

NAME = f"rhcos-{BUILD}"
SETTINGS = {
    "bootimg_uploaders.aliyun.objects._PART": 512 << 10,
    "bootimg_uploaders.aliyun.images._EVERY": 0.1,
}
"""Small parts and short waits."""
KEY = f"images/rhcos-{BUILD}-aliyun.x86_64.qcow2"


@dataclass(kw_only=True)
class Site(CloudSite):
    """The cloud, the proxy before it, and a folder with builds."""

    aliyun: StrictAliyun
    platform: str = "aliyun"

    @property
    def words(self) -> tuple[str, ...]:
        """The words that every command has."""
        return ("-p", "aliyun", "--set", "bucket=art/images", "--set", f"primary_region={HOME}", "--set",
                f"ecs_endpoint={self.proxy.url}", "--set", f"oss_endpoint={self.proxy.url}")  # fmt: skip

    def retire(self, *, dry_run: bool = False) -> dict[str, str]:
        """Retire the images, and return the state of each place."""
        return self.retired(**self.retirement(dry_run=dry_run))

    def retirement(self, *, dry_run: bool = False) -> dict[str, Any]:
        """What a request to retire them has."""
        overrides = {f"{kind}_endpoint": self.proxy.url for kind in ("ecs", "oss")}
        return {"overrides": overrides, "dry_run": dry_run, "retry_for": 5.0}

    def artifact(self) -> Path:
        """The build's artifact."""
        return self.path / str(self.meta()["images"]["aliyun"]["path"])

    def parts_sent(self) -> int:
        """How many requests with a part there were."""
        return sum("partNumber" in each.path for each in self.proxy.requests)

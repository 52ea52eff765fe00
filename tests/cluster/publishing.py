"""The runs of one stream that tests compare: what its config.yaml says, and what a run has published."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.kubernetes.client import Json
from tests.cluster.layers import ARCHES, STREAM, VERSION
from tests.cluster.runs import Run
from tests.cluster.services.servers import BUCKET, REGISTRY, ROOT, S3
from tests.cluster.team import Team, make_team

CONFIG = """
s3: {{bucket: {bucket}, builds_key: "{team}/streams/${{STREAM}}"}}
additional_arches: [{arches}]
default_artifacts: {{all: [qemu], aarch64: [aws]}}
clouds: {{aws: {{primary_region: {region}}}}}
registry_repos: {{oscontainer: {{repo: {registry}/{team}/os, tags: ["${{STREAM}}", "${{VERSION}}"]}}}}
streams: {{{stream}: {{type: production}}}}
bootimg: {{streams: {{{stream}: {{layer: "{layer}"}}}}}}
"""


def config_of(team: str, layer: str, region: str) -> str:
    """A team's config.yaml: a bucket's folder, a repository and a region of its own."""
    return CONFIG.format(
        bucket=BUCKET, team=team, arches=", ".join(each.value for each in ARCHES), region=region,
        registry=REGISTRY, stream=STREAM, layer=layer,
    )  # fmt: skip


@dataclass(frozen=True)
class Published:
    """What a run left in S3, in the registry and at AWS; `fetched` is a folder for a copy of the build."""

    team: Team
    name: str
    region: str
    fetched: Path
    run: Run | None = None

    @classmethod
    def of_team(cls, cluster: Cluster, name: str, region: str, layer: str, folder: Path) -> Published:
        """A new team, which has published nothing yet."""
        return cls(make_team(cluster, name, folder, config_of(name, layer, region)), name, region, folder)

    def start(self) -> Run:
        """Start a run of the stream."""
        return self.team.start(STREAM, stream_url=self.stream_url, site_url=f"s3://{BUCKET}/{self.name}/site")

    def results(self) -> dict[str, Any]:
        """The results of the run."""
        assert self.run is not None
        return self.run.results()

    @property
    def builds_url(self) -> str:
        return f"s3://{BUCKET}/{self.name}/streams/{STREAM}/builds"

    @property
    def stream_url(self) -> str:
        return f"s3://{BUCKET}/{self.name}/{STREAM}.json"

    @property
    def build(self) -> Path:
        return self.fetched / "builds" / VERSION

    @cached_property
    def seen(self) -> Json:
        """The objects of the bucket by their keys below the team's folder, the images and the snapshots."""
        found = dict(json.loads(self._see()))
        head = f"{self.name}/"
        own = {key[len(head) :]: tag for key, tag in found["objects"].items() if key.startswith(head)}
        return {**found, "objects": own}

    def object(self, key: str) -> bytes:
        """An object below the team's folder."""
        return self._see(f"{self.name}/{key}")

    def json(self, key: str) -> Any:  # noqa: ANN401
        return json.loads(self.object(key))

    def _see(self, *key: str) -> bytes:
        words = ("-m", "tests.cluster.services.seen", S3, BUCKET, self.region, *key)
        return self.team.cluster.space.run(sys.executable, *words, PYTHONPATH=str(ROOT)).stdout

    def fetch(self) -> None:
        """Fetch the whole build with bootimg itself."""
        words = ("builds", "fetch", self.builds_url, "--build", VERSION, "--arch", "all", "--artifact", "all")
        self.team.bootimg(*words, folder=self.fetched)

    def meta(self, arch: str) -> Json:
        return dict(json.loads((self.build / arch / "meta.json").read_bytes()))

    def digests(self) -> dict[str, str]:
        """The digest of every image as meta.json has it, which is that of the file."""
        found = {}
        for arch in (each.value for each in ARCHES):
            for image in self.meta(arch)["images"].values():
                with (self.build / arch / image["path"]).open("rb") as file:
                    assert hashlib.file_digest(file, "sha256").hexdigest() == image["sha256"]
                found[image["path"]] = image["sha256"]
        return found

    def layer_digest(self) -> str:
        """The digest to which the stream's tag leads in the registry."""
        words = ("inspect", "--raw", "--tls-verify=false", f"docker://{REGISTRY}/{self.name}/os:{STREAM}")
        return f"sha256:{hashlib.sha256(self.team.cluster.space.run('skopeo', *words).stdout).hexdigest()}"

"""The one real build that the integration tests read and boot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.layer import stand_in
from tests.support.debianprograms import xfs_programs
from tests.support.registry import serving_registry


@dataclass(frozen=True)
class Workspace:
    """A cache and a tree of builds of the test run's own."""

    cache: Path
    builds: Path

    @property
    def temporary(self) -> Path:
        """A folder for temporary files that is the workspace's own, where its fixture made one."""
        return self.cache.with_name("tmp").resolve()

    def bootimg(
        self,
        *arguments: str | Path,
        check: bool = True,
        seconds: float | None = None,
        **environment: str,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the program as a user would, for at most some seconds."""
        argv = [sys.executable, "-m", "bootimg", *map(str, arguments)]
        env = (
            os.environ | {"BOOTIMG_CACHE": str(self.cache), "BOOTIMG_BUILDS": str(self.builds)} | environment
        )
        done = subprocess.run(argv, env=env, capture_output=True, timeout=seconds)
        if check and done.returncode:
            pytest.fail(f"{' '.join(argv)} exited with {done.returncode}\n{done.stderr.decode()}")
        return done


@dataclass(frozen=True)
class Built:
    """What `bootimg build --json` said."""

    workspace: Workspace
    document: dict[str, Any]

    @property
    def path(self) -> Path:
        return Path(self.document["path"])

    def artifact(self, key: str) -> Path:
        return next(Path(each["path"]) for each in self.document["artifacts"] if each["key"] == key)

    @property
    def meta(self) -> dict[str, Any]:
        return dict(json.loads((self.path / "meta.json").read_bytes()))

    @property
    def base(self) -> Path:
        """The sealed base disk, with 512-byte sectors, that this build took its images from."""
        return Path(self.document["base-disks"]["512"])


@pytest.fixture(scope="session")
def layer() -> Path:
    """The stand-in CoreOS layer's OCI archive."""
    return stand_in()


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("workspace")
    return Workspace(root / "cache", root / "builds")


@pytest.fixture(scope="session")
def built(workspace: Workspace, layer: Path) -> Built:
    """The stand-in layer, built for qemu."""
    done = workspace.bootimg("build", layer, "-p", "qemu", "--json")
    return Built(workspace, json.loads(done.stdout))


@pytest.fixture(scope="session")
def by_appliance(workspace: Workspace, layer: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The stand-in layer, deployed by ostree in the appliance."""
    own = Workspace(workspace.cache, tmp_path_factory.mktemp("by-appliance"))
    done = own.bootimg("build", layer, "-p", "qemu", "--deploy", "appliance", "--json")
    return Built(own, json.loads(done.stdout))


@pytest.fixture(scope="session")
def judges() -> list[Path]:
    """The xfs_repair of other Debian releases; this machine's comes before them."""
    releases = [xfs_programs(suite) for suite in ("trixie", "sid")]
    for each in releases:
        if reason := each.why_not():
            pytest.skip(f"no xfs_repair of other releases: {reason}")
    return [each.folder() / "xfs_repair" for each in releases]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """A registry on loopback, plain HTTP; yields host:port."""
    with serving_registry(tmp_path) as address:
        yield address

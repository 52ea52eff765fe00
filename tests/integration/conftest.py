"""The one real build that the integration tests read and boot."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.layer import stand_in


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
        self, *arguments: str | Path, check: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the program as a user would."""
        argv = [sys.executable, "-m", "bootimg", *map(str, arguments)]
        env = (
            os.environ | {"BOOTIMG_CACHE": str(self.cache), "BOOTIMG_BUILDS": str(self.builds)} | environment
        )
        done = subprocess.run(argv, env=env, capture_output=True)
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


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """A registry on loopback, plain HTTP; yields host:port."""
    with serving_registry(tmp_path) as address:
        yield address


@contextmanager
def serving_registry(folder: Path, http: str = "", more: str = "") -> Iterator[str]:
    """A registry on loopback that keeps its files in `folder`; `http` and `more` are YAML of its config."""
    program = shutil.which("docker-registry")
    if not program:
        pytest.skip("docker-registry is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: {address}{http}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}\n{more}"
    )
    child = subprocess.Popen([program, "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not answers(int(address.rpartition(":")[2])):
            assert child.poll() is None, "docker-registry has ended"
            time.sleep(0.1)
        yield address
    finally:
        child.terminate()
        child.wait()


def answers(port: int) -> bool:
    """Whether something on loopback takes connections."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

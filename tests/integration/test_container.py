"""bootimg's container image, run as a pod of a pipeline: any uid, no privileges, a read-only root."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.container import USER, Engine, why_not

pytestmark = [pytest.mark.real, pytest.mark.matrix]


@dataclass(frozen=True)
class Produced:
    """What a build in the container left in its two volumes."""

    volumes: Path
    document: dict[str, Any]

    @property
    def build(self) -> Path:
        return self.volumes / Path(self.document["path"]).relative_to("/")

    @property
    def meta(self) -> dict[str, Any]:
        return dict(json.loads((self.build / "meta.json").read_bytes()))


@pytest.fixture(scope="module")
def engine() -> Engine:
    if reason := why_not():
        pytest.skip(reason)
    return Engine.of_cache()


@pytest.fixture(scope="module")
def image(engine: Engine) -> str:
    base = engine.base()
    tried = engine.run("true", image=base)
    if tried.returncode:
        pytest.skip(f"containers do not run here: {tried.stderr.decode()[-300:]}")
    return engine.make(base)


@pytest.fixture
def volumes() -> Iterator[Path]:
    with fresh_volumes() as folder:
        yield folder


@pytest.fixture(scope="module")
def produced(engine: Engine, image: str, layer: Path) -> Iterator[Produced]:
    with tempfile.TemporaryDirectory(prefix="container-", dir="/var/tmp") as name:
        folder = with_volumes(Path(name))
        shown = f"{layer}:/layer.ociarchive:ro"
        done = engine.run(
            *("build", "/layer.ociarchive", "-p", "qemu", "--json"),
            image=image,
            volumes=volumes_of(folder),
            options=[f"--volume={shown}"],
        )
        assert done.returncode == 0, done.stderr.decode()
        yield Produced(folder, json.loads(done.stdout))

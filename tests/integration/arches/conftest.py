"""What the modules of disks of other architectures share; each builds its own image."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.conftest import Built, Workspace


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace of the module's own."""
    root = tmp_path_factory.mktemp("own")
    return Workspace(root / "cache", root / "builds")


@pytest.fixture
def disk(built: Built, tmp_path: Path) -> Path:
    """A copy of the module's image for QEMU that the guest may write to."""
    return Path(shutil.copyfile(built.artifact("qemu"), tmp_path / "disk.qcow2"))

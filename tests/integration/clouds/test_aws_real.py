"""The disk of a real build, as an upload reads it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.builds.find import find_build
from bootimg.cache import Cache
from bootimg.disk.composite import Composite
from bootimg.orchestrator.uploading.content import ArtifactContent
from bootimg.platform import platforms
from tests.integration.clouds.commands import HOME
from tests.integration.conftest import Built, Workspace
from tests.support.clouds.faultproxy import Proxy
from tests.support.disks import run

pytestmark = pytest.mark.real
MOST_SENT = 1.03
"""Bytes sent for each allocated byte; blocks have 512 KiB, and files of a disk need not."""


def test_the_base_disk_in_the_cache_is_the_artifact_and_little_more_is_sent(
    built: Built, layer: Path, proxy: Proxy, tmp_path: Path
) -> None:
    workspace, build = Workspace(built.workspace.cache, tmp_path / "builds"), built.path.parent.name
    workspace.bootimg("build", layer, "-p", "aws", "--json")
    found = find_build(workspace.builds, build, Arch.X86_64)
    content = ArtifactContent(found, platforms()["aws"], Cache(workspace.cache))
    run("qemu-img", "convert", "-O", "raw", found.artifact("aws"), tmp_path / "artifact.raw")
    with content.disk() as cached:
        assert isinstance(cached, Composite)
        data = [(each.offset, each.length) for each in cached.extents() if each.data]
        fd = os.open(tmp_path / "artifact.raw", os.O_RDONLY)
        assert os.fstat(fd).st_size == cached.size
        assert all(cached.read(*each) == os.pread(fd, each[1], each[0]) for each in data)
        os.close(fd)
    done = workspace.bootimg("upload", build, "-p", "aws", "--region", HOME, "--dry-run", "--json")
    calls = {each["operation"]: each for each in json.loads(done.stdout)["uploads"][0]["calls"]}
    sent = calls["ebs:PutSnapshotBlock"]["times"] << 19
    assert sent <= MOST_SENT * sum(length for _, length in data)
    assert calls["ec2:RegisterImage"]["parameters"]["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == (
        cached.size >> 30
    )

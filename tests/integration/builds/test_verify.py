"""`bootimg verify` of a real build: nothing is wrong with it but what the stand-in layer cannot have."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Built

pytestmark = pytest.mark.real

# Debian has no NetworkManager in it here, and none of what comes with rpm-ostree and podman.
LACKING = {
    "rpm-ostree",
    "podman",
    "jq",
    "rsync",
    "NetworkManager",
    "NetworkManager.service",
    "ostree-container",
}


def verified(built: Built, what: str | Path, code: int, *words: str) -> list[dict[str, Any]]:
    done = built.workspace.bootimg("verify", what, *words, "--json", check=False)
    assert done.returncode == code, done.stderr.decode()
    found: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    return found


def test_the_build_is_as_meta_json_says(built: Built, tmp_path: Path) -> None:
    assert verified(built, built.path, 0) == []
    # A tree of its own, whose artifact may be damaged.
    copy = tmp_path / "builds" / built.path.parent.name / built.path.name
    shutil.copytree(built.path, copy)
    shutil.copy(built.path.parent.parent / "builds.json", tmp_path / "builds")
    image = copy / built.artifact("qemu").name
    image.chmod(0o644)
    with image.open("r+b") as handle:
        handle.seek(image.stat().st_size // 2)
        byte = handle.read(1)
        handle.seek(-1, 1)
        handle.write(bytes([byte[0] ^ 1]))
    assert [each["rule"] for each in verified(built, copy, 1)] == ["artifact-digest"]


def test_deep_it_is_what_layer_and_disk_are(built: Built) -> None:
    found = verified(built, built.path, 1, "--deep")
    assert {each["rule"] for each in found} == {"pivot-program", "pivot-unit"}
    keys = [each["where"].partition(": ")[0] for each in found]
    assert {key: keys.count(key) for key in keys} == {"ostree": len(LACKING), "qemu": len(LACKING)}


@pytest.mark.parametrize("key", ["ostree", "qemu"])
def test_layer_and_disk_lack_what_the_pivot_needs_and_nothing_else(built: Built, key: str) -> None:
    found = verified(built, built.artifact(key), 1)
    assert {each["rule"] for each in found} == {"pivot-program", "pivot-unit"}
    words = {word.rpartition("/")[2] for each in found for word in each["evidence"].split()}
    assert len(found) == len(LACKING & words) == len(LACKING)

"""bootimg's container image, run as a pod of a pipeline: any uid, no privileges, a read-only root."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.packaging.container import USER, Completed, Engine, why_not

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
    engine = Engine.of_cache()
    refused_here(engine("podman", "info"))
    return engine


@pytest.fixture(scope="module")
def image(engine: Engine) -> str:
    base = engine.base()
    refused_here(engine.run("true", image=base))
    return engine.make(base)


def refused_here(done: Completed) -> None:
    """Skip where the machine lets no container run: that is no fault of ours."""
    if done.returncode:
        pytest.skip(f"containers do not run here: {done.stderr.decode()[-300:]}")


@pytest.fixture(scope="module")
def produced(engine: Engine, image: str, layer: Path) -> Iterator[Produced]:
    with tempfile.TemporaryDirectory(prefix="container-", dir="/var/tmp") as name:
        folder = with_volumes(Path(name))
        shown = f"{layer}:/layer.ociarchive:ro"
        done = engine.run(
            *("build", "/layer.ociarchive", "-p", "qemu", "--json"),
            image=image,
            volumes=mounted(folder),
            options=[f"--volume={shown}"],
        )
        assert done.returncode == 0, done.stderr.decode()
        yield Produced(folder, json.loads(done.stdout))


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    return with_volumes(tmp_path)


def with_volumes(folder: Path) -> Path:
    """Two folders as volumes of a pod are: of root, and open to group 0."""
    for name in ("cache", "builds"):
        (folder / name).mkdir()
        (folder / name).chmod(0o770)
    return folder


def mounted(folder: Path) -> dict[str, Path]:
    return {f"/{name}": folder / name for name in ("cache", "builds")}


def test_the_build_is_whole_and_of_the_pods_user(produced: Produced, layer: Path) -> None:
    qemu = produced.meta["images"]["qemu"]
    qcow2 = produced.build / qemu["path"]
    with qcow2.open("rb") as handle:
        assert hashlib.file_digest(handle, "sha256").hexdigest() == qemu["sha256"]
    subprocess.run(["qemu-img", "check", qcow2], check=True)
    assert produced.meta["images"]["ostree"]["size"] > 0
    written = [path for name in ("builds", "cache") for path in (produced.volumes / name).rglob("*")]
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in written} == {(USER, 0)}


def test_nothing_temporary_is_left(produced: Produced) -> None:
    assert [path.name for path in (produced.volumes / "cache").iterdir()] == ["bootimg"]
    assert not [*produced.build.glob(".scratch")]


def test_a_second_pod_takes_what_the_first_one_made(
    engine: Engine, image: str, produced: Produced, layer: Path
) -> None:
    done = engine.run(
        *("build", "--from", "latest", "-p", "aws", "--json"), image=image, volumes=mounted(produced.volumes)
    )
    assert done.returncode == 0, done.stderr.decode()
    document = json.loads(done.stdout)
    assert document["base-disks"] == produced.document["base-disks"]
    assert document["statistics"]["new-objects"] == 0
    assert {"qemu", "aws"} <= set(produced.meta["images"])


def test_doctor_finds_all_in_the_image(engine: Engine, image: str, volumes: Path) -> None:
    done = engine.run("doctor", "--json", image=image, volumes=mounted(volumes))
    assert done.returncode == 0, done.stdout.decode()
    found = {each["name"]: each for each in json.loads(done.stdout)["findings"]}
    assert "there is no /dev/kvm" in found["accelerator"]["detail"]
    assert found["kernel"]["detail"].startswith("/boot/vmlinuz-")


def test_without_volumes_it_says_that_it_cannot_write(engine: Engine, image: str, layer: Path) -> None:
    shown = [f"--volume={layer}:/layer.ociarchive:ro"]
    done = engine.run("build", "/layer.ociarchive", "-p", "qemu", image=image, options=shown)
    assert done.returncode == 3
    assert done.stderr.decode().startswith("error: folder-not-writable\n")

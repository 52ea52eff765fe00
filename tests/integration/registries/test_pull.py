"""`bootimg pull`: what it puts beside a disk, and pulls that are interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bootimg.arch import Arch
from bootimg.cli.main import bootimg
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.image.fetched import OCI_INDEX
from tests.integration.clouds.commands import meta, run
from tests.integration.registries.test_faults import PLAIN, address, kind, tagged
from tests.support.builds.registrybuilds import BUILD, make_builds
from tests.support.clouds.faultproxy import Fault, Proxy, Request

SBOM, SIGNATURE = "application/spdx+json", "application/pgp-signature"


@pytest.fixture
def build(proxy: Proxy, tmp_path: Path) -> Path:
    """The folder of a build whose disks are in the registry."""
    (path,) = make_builds(tmp_path / "builds", arches=[Arch.X86_64]).values()
    name = f"{address(proxy)}/a/disks"
    run("upload", tmp_path / "builds", *PLAIN, "--registry", f"disks={name}:{BUILD}")
    return path


def words_of(proxy: Proxy, out: Path, platform: str, *words: object) -> list[str]:
    name = f"{address(proxy)}/a/disks:{BUILD}"
    argv = ["pull", name, "-p", platform, "--arch", "x86_64", "--output", out, "--json"]
    return list(map(str, [*argv, "--cache", out.parent / "cache", *PLAIN, *words]))


def pull(proxy: Proxy, out: Path, platform: str, *words: object) -> Any:  # noqa: ANN401
    done = CliRunner().invoke(bootimg, words_of(proxy, out, platform, *words))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == ExitCode.OK, done.output
    return json.loads(done.stdout)


def failing(proxy: Proxy, out: Path, platform: str, *words: object) -> str:
    with pytest.raises(BootimgError) as error:
        pull(proxy, out, platform, *words)
    return error.value.id


def folder(tmp_path: Path, name: str = "out") -> Path:
    (tmp_path / name).mkdir()
    return tmp_path / name


def files(out: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in out.iterdir()}


def test_sbom_and_signature_are_put_beside_a_disk(build: Path, proxy: Proxy, tmp_path: Path) -> None:
    """Under the names of the builds tree; a signature follows a disk that is named otherwise."""
    disk = meta(build)["images"]["qemu"]["path"]
    sbom = json.loads((build / "bootimg.json").read_text())["sbom"]["path"]
    expected = {name: (build / name).read_bytes() for name in (disk, f"{disk}.sig", sbom)}
    out = folder(tmp_path)
    found = pull(proxy, out, "qemu")
    assert files(out) == expected
    assert {Path(each["file"]).name: each["state"] for each in found["beside"]} == {
        f"{disk}.sig": "done", sbom: "done"
    }  # fmt: skip
    again = pull(proxy, out, "qemu")
    assert {again["state"], *(each["state"] for each in again["beside"])} == {"was there"}
    (out / sbom).write_text("other")
    (out / disk).unlink()
    assert failing(proxy, out, "qemu") == "pull-file-exists"
    assert not (out / disk).exists()
    pull(proxy, out, "qemu", "--force")
    assert files(out) == expected
    other = folder(tmp_path, "other")
    assert pull(proxy, other / "x", "qemu", "--disk-only")["beside"] == []
    assert list(files(other)) == ["x"]
    pull(proxy, other / "x", "qemu")
    assert set(files(other)) == {"x", "x.sig", sbom}
    # A disk without a signature; and a registry that lists what refers to a disk by its API.
    metal = folder(tmp_path, "metal")
    assert [Path(each["file"]).name for each in pull(proxy, metal, "metal")["beside"]] == [sbom]
    digest = pull(proxy, metal, "metal", "--disk-only")["digest"]
    listed = json.dumps(tagged(proxy, digest.replace(":", "-"), "a/disks")).encode()

    def api(request: Request) -> Fault | None:
        if "/referrers/" in request.path:
            return Fault(200, {"Content-Type": OCI_INDEX}, body=listed)
        return Fault(404, body=b"{}") if "/manifests/sha256-" in request.path else None

    proxy.plan = api
    (metal / sbom).unlink()
    assert [each["state"] for each in pull(proxy, metal, "metal")["beside"]] == ["done"]
    # Damaged in the registry: the disk is there, the SBOM is not.
    proxy.plan = lambda request: None
    name = json.loads((build / "bootimg.json").read_text())["sbom"]["sha256"]
    (stored,) = (tmp_path / "registry").rglob(f"blobs/sha256/*/{name}/data")
    stored.write_bytes(stored.read_bytes()[::-1])
    last = folder(tmp_path, "last")
    assert failing(proxy, last, "metal") == "disk-artifact-damaged"
    assert list(files(last)) == [meta(build)["images"]["metal"]["path"]]


def dropped(proxy: Proxy, out: Path) -> Path:
    """What is there of a pull whose connection is lost in the middle, and that does not try again."""
    proxy.plan = lambda request: Fault(drop="middle") if kind(request) == "GET blobs" else None
    assert failing(proxy, out, "metal", "--disk-only", "--retry-for", "0s") == "cloud-unavailable"
    proxy.plan, proxy.requests[:] = lambda request: None, []
    (part,) = out.iterdir()
    assert part.stat().st_size > 0
    return part


def no_ranges(whole: bytes) -> Callable[[Request], Fault | None]:
    return lambda request: Fault(200, body=whole) if request.range else None


def test_an_interrupted_pull_continues(build: Path, proxy: Proxy, tmp_path: Path) -> None:
    disk = build / meta(build)["images"]["metal"]["path"]
    whole, out = disk.read_bytes(), folder(tmp_path)
    there = dropped(proxy, out).stat().st_size
    pull(proxy, out, "metal", "--disk-only")
    blobs = [each.range for each in proxy.requests if kind(each) == "GET blobs"]
    assert (blobs, files(out)) == ([f"bytes={there}-"], {disk.name: whole})
    for name, plan in {
        "all": no_ranges(whole),
        "refused": lambda request: Fault(416) if request.range else None,
        "other": lambda request: Fault(206, {"Content-Range": "bytes 0-9/10"}, body=b"0" * 10)
        if request.range else None,
    }.items():  # fmt: skip
        out = folder(tmp_path, name)
        dropped(proxy, out)
        proxy.plan = plan
        pull(proxy, out, "metal", "--disk-only")
        assert any(each.range for each in proxy.requests)
        assert files(out) == {disk.name: whole}


def test_a_part_that_is_damaged_is_not_used(build: Path, proxy: Proxy, tmp_path: Path) -> None:
    """A part with holes, one that is longer than the disk; and a rest that is wrong is refused."""
    disk = build / meta(build)["images"]["metal"]["path"]
    whole = disk.read_bytes()
    for number, data in enumerate((b"\1" * 4096, b"\1" * (len(whole) + 1), b"\1" * len(whole))):
        out = folder(tmp_path, f"out{number}")
        dropped(proxy, out).write_bytes(data)
        pull(proxy, out, "metal", "--disk-only")
        assert files(out) == {disk.name: whole}
    out = folder(tmp_path)
    part = dropped(proxy, out)
    proxy.plan = lambda request: Fault(200, body=whole[::-1]) if kind(request) == "GET blobs" else None
    assert failing(proxy, out, "metal", "--disk-only") == "disk-artifact-damaged"
    assert not part.exists()
    assert files(out) == {}


def test_a_killed_pull_continues(build: Path, proxy: Proxy, tmp_path: Path) -> None:
    disk, out, seen = build / meta(build)["images"]["metal"]["path"], folder(tmp_path), 0

    def plan(request: Request) -> Fault | None:
        nonlocal seen
        seen += kind(request) == "GET blobs"
        if kind(request) != "GET blobs":
            return None
        if seen == 2:
            os.kill(process.pid, signal.SIGKILL)
        return Fault(drop="middle")

    proxy.plan = plan
    argv = [sys.executable, "-m", "bootimg", *words_of(proxy, out, "metal", "--disk-only")]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, output
    (part,) = out.iterdir()
    proxy.plan, proxy.requests[:] = lambda request: None, []
    there = part.stat().st_size
    pull(proxy, out, "metal", "--disk-only")
    assert f"bytes={there}-" in [each.range for each in proxy.requests]
    assert files(out) == {disk.name: disk.read_bytes()}

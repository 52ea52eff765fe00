"""Disks as OCI artifacts: pushed with what refers to them, and pulled back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bootimg.errors import BootimgError, ExitCode
from tests.integration.clouds.commands import meta
from tests.integration.registries.conftest import Served
from tests.integration.registries.test_push import inspect, push
from tests.support.builds.registrybuilds import BUILD, make_builds

DISK = "com.coreos.disk."


def pull(served: Served, folder: Path, *words: object) -> Any:  # noqa: ANN401
    done = invoke_pull(folder, *served.words, *words)
    return json.loads(done.stdout)


def invoke_pull(folder: Path, *words: object) -> Any:  # noqa: ANN401
    from click.testing import CliRunner

    from bootimg.cli.main import bootimg

    argv = ["pull", "--cache", folder / "cache", "--json", *words]
    done = CliRunner().invoke(bootimg, list(map(str, argv)))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == ExitCode.OK, done.output
    return done


def test_disks_are_pushed_and_pulled_back(served: Served, tmp_path: Path) -> None:
    paths = make_builds(tmp_path / "builds")
    name = f"{served.address}/a/disks"
    words = ("--registry", f"disks={name}:{BUILD}", "-p", "qemu")
    (report,) = push(tmp_path / "builds", served, *words)
    assert [each["state"] for each in report["places"]] == ["done"] * 3
    index = json.loads(inspect(served, f"a/disks:{BUILD}"))
    assert [each["platform"] for each in index["manifests"]] == [
        {"architecture": "amd64", "os": "qemu"},
        {"architecture": "arm64", "os": "qemu"},
    ]
    for each, path in zip(index["manifests"], paths.values(), strict=True):
        entry = meta(path)["images"]["qemu"]
        manifest = json.loads(inspect(served, f"a/disks@{each['digest']}"))
        assert manifest["artifactType"] == each["artifactType"] == "application/vnd.diskimage.qcow2.gzip"
        assert manifest["layers"][0]["digest"] == f"sha256:{entry['sha256']}"
        found = {key: value for key, value in manifest["annotations"].items() if key.startswith(DISK)}
        assert found == {
            f"{DISK}build": BUILD, f"{DISK}arch": path.name,
            f"{DISK}platform": "qemu", f"{DISK}format": "qcow2",
            f"{DISK}uncompressed-digest": f"sha256:{entry['uncompressed-sha256']}",
            f"{DISK}uncompressed-size": str(entry["uncompressed-size"]),
        }  # fmt: skip
        listed = json.loads(inspect(served, f"a/disks:{each['digest'].replace(':', '-')}"))
        types = {each["artifactType"]: each["digest"] for each in listed["manifests"]}
        assert set(types) == {"application/spdx+json", "application/pgp-signature"}
        referrer = json.loads(inspect(served, f"a/disks@{types['application/pgp-signature']}"))
        assert referrer["subject"]["digest"] == each["digest"]
        out = tmp_path / path.name
        out.mkdir()
        done = pull(served, tmp_path, f"{name}:{BUILD}", "--arch", path.name, "--output", out)
        assert done["file"] == str(out / entry["path"])
        assert (out / entry["path"]).read_bytes() == (path / entry["path"]).read_bytes()
        assert (
            pull(served, tmp_path, f"{name}:{BUILD}", "--arch", path.name, "--output", out)["state"]
            == "was there"
        )
    # Another disk joins the list, and what was there stays.
    words = ("--registry", f"disks={name}:{BUILD}", "-p", "metal")
    push(tmp_path / "builds", served, *words)
    index = json.loads(inspect(served, f"a/disks:{BUILD}"))
    assert [each["platform"]["os"] for each in index["manifests"]] == ["metal", "qemu"] * 2
    for platform in ("metal", "qemu"):
        push(tmp_path / "builds", served, "--registry", f"disks={name}:moving", "-p", platform)
    assert json.loads(inspect(served, "a/disks:moving")) == index
    (report,) = push(tmp_path / "builds", served, "--registry", f"disks={name}:{BUILD}")
    assert {each["state"] for each in report["places"]} == {"was there"}
    with pytest.raises(BootimgError) as error:
        pull(served, tmp_path, f"{name}:{BUILD}", "--arch", "x86_64")
    assert error.value.id == "disk-artifact-ambiguous"
    refused(served, tmp_path, name)


def refused(served: Served, tmp_path: Path, name: str) -> None:
    """What is no disk, or was changed in the registry, is refused, and no file is left."""
    out = tmp_path / "refused"
    out.mkdir()

    def failing(reference: str, *words: object) -> BootimgError:
        with pytest.raises(BootimgError) as error:
            pull(served, tmp_path, reference, "--output", out, *words)
        assert list(out.iterdir()) == []
        return error.value

    index = json.loads(inspect(served, f"a/disks:{BUILD}"))
    metal = next(each for each in index["manifests"] if each["platform"]["os"] == "metal")
    sbom = json.loads(inspect(served, f"a/disks:{metal['digest'].replace(':', '-')}"))["manifests"][0]
    x86 = ("--arch", "x86_64")
    assert failing(f"{name}@{sbom['digest']}", *x86).id == "disk-artifact-invalid"
    assert failing(f"{name}:none", *x86).id == "layer-not-found"
    assert failing(f"{name}:{BUILD}", *x86, "-p", "aws").id == "disk-artifact-missing"
    assert failing(f"{name}:{BUILD}", *x86, "-p", "metal", "--max-size", "1M").id == "disk-artifact-too-large"
    blob = json.loads(inspect(served, f"a/disks@{metal['digest']}"))["layers"][0]["digest"][7:]
    (stored,) = served.folder.rglob(f"blobs/sha256/*/{blob}/data")
    with stored.open("r+b") as file:
        file.write(b"tampered")
    assert failing(f"{name}:{BUILD}", *x86, "-p", "metal").id == "disk-artifact-damaged"
    (stored,) = served.folder.rglob(f"blobs/sha256/*/{metal['digest'][7:]}/data")
    stored.write_bytes(stored.read_bytes().replace(BUILD.encode(), BUILD[::-1].encode()))
    assert failing(f"{name}:{BUILD}", *x86, "-p", "metal").id in (
        "disk-artifact-damaged",
        "layer-read-failed",
    )

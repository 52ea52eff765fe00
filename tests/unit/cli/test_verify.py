"""`bootimg verify`: what it is given, how it ends, what it says; and the page that has its rules."""

from __future__ import annotations

import ast
import gzip
import hashlib
import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from bootimg.checks.rules import Rule
from bootimg.errors import ExitCode
from bootimg.formats import Compressor
from script.docs import rule_table
from tests.support.disks import write
from tests.support.layers import oci
from tests.support.live.livefiles import written
from tests.support.live.livesystem import good_iso, good_rootfs
from tests.support.program import program
from tests.unit.checks.test_builds import QEMU, make, rewritten
from tests.unit.checks.test_disks import disk_of, needs_tools
from tests.unit.checks.test_versions import RELEASE, pivoting

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "cli" / "verify.md"
KEYS = ["rule", "severity", "where", "evidence", "message"]


def run(*words: str | Path, cache: Path, code: int = 0) -> str:
    done = program("verify", *words, "--cache", cache, "--arch", "x86_64")
    assert done.returncode == code, done.stderr + done.stdout
    return done.stderr if code == ExitCode.USAGE else done.stdout


def findings(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["findings"]
    assert all(list(each) == KEYS for each in found)
    return found


def layer(folder: Path, *members: oci.Member) -> Path:
    """A layer that breaks no rule but that it has no package database, and these."""
    release = "".join(f"{name}={value}\n" for name, value in RELEASE.items())
    files = [oci.file(path) for path in pivoting()]
    layout = oci.Layout(folder)
    layout.add([oci.bootable(), oci.tar(oci.file("usr/lib/os-release", release.encode()), *files, *members)])
    return folder


def test_warnings_alone_do_not_count(tmp_path: Path) -> None:
    text = run(layer(tmp_path / "image"), "--json", cache=tmp_path / "cache")
    document = json.loads(text)
    assert (document["kind"], document["good"]) == ("image", True)
    assert document["subject"] == str(tmp_path / "image")
    [found] = findings(text)
    assert (found["rule"], found["severity"]) == ("packages-missing", "warning")


def test_an_image_with_a_file_of_openshift(tmp_path: Path) -> None:
    image, cache = layer(tmp_path / "image", oci.file("usr/bin/oc")), tmp_path / "cache"
    text = run(image, "--json", cache=cache, code=ExitCode.FAILED)
    assert json.loads(text)["good"] is False
    assert [each["rule"] for each in findings(text)] == ["packages-missing", "ocp-file"]
    lines = run(image, cache=cache, code=ExitCode.FAILED).splitlines()
    said = ("error", "ocp-file", "image", "/usr/bin/oc: a file of OpenShift's openshift-clients")
    assert tuple(re.split(r" {2,}", lines[1])) == said
    assert lines[-1] == "1 error, 1 warning"
    run(image, "--allow", "/usr/bin/oc", "--allow", "x", cache=cache)
    run(image, "--purity", "warn", cache=cache)
    assert run(image, "--purity", "off", cache=cache) == f"{image}: nothing is wrong\n"


def test_an_archive_is_an_image(tmp_path: Path) -> None:
    layout = oci.Layout(tmp_path / "image")
    layout.add([oci.bootable()])
    archive = layout.archive(tmp_path / "x.ociarchive")
    packed = tmp_path / "x.ociarchive.gz"
    packed.write_bytes(gzip.compress(archive.read_bytes()))
    for path in (archive, packed):
        text = run(path, "--json", cache=tmp_path / "cache", code=ExitCode.FAILED)
        assert json.loads(text)["kind"] == "image"
    assert "pivot-program" in {each["rule"] for each in findings(text)}


@pytest.mark.parametrize("name", ["latest", "9.6.20261101-0", "path"])
def test_a_build(tmp_path: Path, name: str) -> None:
    path = make(tmp_path)
    words = [path if name == "path" else name, "-o", path.parent.parent]
    cache = tmp_path / "cache"
    assert run(*words, cache=cache).endswith("nothing is wrong\n")
    rewritten(path / QEMU, b"other")
    text = run(*words, "--json", cache=cache, code=ExitCode.FAILED)
    assert [each["rule"] for each in findings(text)] == ["artifact-digest"]
    assert json.loads(text)["kind"] == "build"


def with_archive(build: Path) -> None:
    """Have gcp's image of the build be what it is elsewhere: a disk in a tar."""
    plain, path = io.BytesIO(), build / f"rhcos-{build.parent.name}-gcp.x86_64.tar.gz"
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("disk.raw"))
    rewritten(path, gzip.compress(plain.getvalue(), mtime=0))
    meta = json.loads((build / "meta.json").read_bytes())
    data = path.read_bytes()
    meta["images"]["gcp"] |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    (build / "meta.json").write_text(json.dumps(meta))


@needs_tools
def test_deep_a_build_is_opened(tmp_path: Path) -> None:
    build, cache = make(tmp_path), tmp_path / "cache"
    with_archive(build)
    assert findings(run(build, "--json", cache=cache)) == []
    text = run(build, "--deep", "--json", cache=cache, code=ExitCode.FAILED)
    assert json.loads(text)["not-opened"] == ["gcp"]
    places = {(each["where"].partition(": ")[0], each["rule"]) for each in findings(text)}
    assert {
        ("qemu", "disk-unreadable"),
        ("metal", "disk-unreadable"),
        ("ostree", "packages-missing"),
    } <= places
    assert {key for key, _ in places} == {"ostree", "qemu", "metal"}
    assert "not opened, because it is an archive: gcp" in run(
        build, "--deep", cache=cache, code=ExitCode.FAILED
    )


def test_deep_a_damaged_build_stays_closed(tmp_path: Path) -> None:
    build = make(tmp_path)
    rewritten(build / QEMU, b"qcow3")
    found = findings(run(build, "--deep", "--json", cache=tmp_path / "cache", code=ExitCode.FAILED))
    assert [each["rule"] for each in found] == ["artifact-digest"]


@needs_tools
def test_a_disk_compressed_or_not(tmp_path: Path) -> None:
    disk = disk_of(tmp_path).make(tmp_path)
    packed, cache = tmp_path / "disk.qcow2.gz", tmp_path / "cache"
    write("qcow2", disk, packed, compressor=Compressor.GZIP)
    for each in (disk, packed):
        document = json.loads(run(each, "--json", cache=cache))
        assert document == {"kind": "disk", "subject": str(each), "good": True, "findings": []}
    assert not list((cache / "tmp").glob("*verify-*"))


def test_a_live_iso(tmp_path: Path) -> None:
    made = good_iso(good_rootfs(tmp_path / "parts"))
    iso, cache = written(made, tmp_path / "live.iso"), tmp_path / "cache"
    document = json.loads(run(iso, "--json", cache=cache))
    assert document == {"kind": "iso", "subject": str(iso), "good": True, "findings": []}
    data = bytearray(iso.read_bytes())
    iso.write_bytes(gzip.compress(data.replace(b"Stand-in 9.6", b"Stand-in 9.7"), 1))
    [found] = findings(run(iso, "--json", cache=cache, code=ExitCode.FAILED))
    assert (found["rule"], found["severity"]) == ("live-stream-hash", "error")
    assert "1 error" in run(iso, cache=cache, code=ExitCode.FAILED)


def test_what_cannot_be_looked_at_is_an_error(tmp_path: Path) -> None:
    assert "build-not-found" in run("latest", "-o", tmp_path, cache=tmp_path / "cache", code=ExitCode.USAGE)


def test_the_environment_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image, cache = (
        layer(tmp_path / "image", oci.file("usr/bin/oc"), oci.file("usr/bin/crio")),
        tmp_path / "cache",
    )
    monkeypatch.setenv("BOOTIMG_ALLOW", "openshift-clients cri-o")
    run(image, cache=cache)
    monkeypatch.delenv("BOOTIMG_ALLOW")
    monkeypatch.setenv("BOOTIMG_PURITY", "warn")
    assert run(image, cache=cache).splitlines()[-1] == "3 warnings"


def test_every_rule_has_its_row() -> None:
    text = PAGE.read_text()
    assert rule_table() in text
    assert [*re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)] == [rule.value for rule in Rule]


def test_every_rule_is_used_and_none_is_an_error_s_id() -> None:
    used = {
        node.attr
        for source in ROOT.glob("bootimg/checks/**/*.py")
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "Rule"
    }
    assert used >= {rule.name for rule in Rule}
    errors = {page.stem for page in (ROOT / "docs" / "errors").glob("*.md")}
    assert errors & {rule.value for rule in Rule} == set()
    assert all(set(rule.subjects.split(", ")) <= {"image", "disk", "iso", "build", "node"} for rule in Rule)

"""The provenance that a build writes, and that the next run, `compress` and `verify` make of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bootimg.builds.find import find_build
from bootimg.builds.record import RECORD, read_record
from bootimg.checks.builds.buildfindings import build_findings
from bootimg.cli.commands.build import artifact_table
from bootimg.events import Events
from bootimg.formats import Compressor
from bootimg.manifest.digest import recipes_digest
from bootimg.orchestrator.compress import compress_images, each_build, uncompress_images
from bootimg.platform import platform
from tests.unit.orchestrator.test_sbom import VERSION, X86, Build, build, image, packages, stand_in

__all__ = ["build", "stand_in"]
FILE = f"rhcos-{VERSION}-provenance.x86_64.intoto.json"
QEMU = f"rhcos-{VERSION}-qemu.x86_64.qcow2"


@pytest.fixture(autouse=True)
def layer(tmp_path: Path) -> None:
    image(tmp_path, packages(tmp_path, "bash"))


def statement(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / FILE).read_text()))


def subjects(folder: Path) -> dict[str, str]:
    return {each["name"]: each["digest"]["sha256"] for each in statement(folder)["subject"]}


def broken(tmp_path: Path) -> list[tuple[str, str]]:
    found = build_findings(find_build(tmp_path / "builds", VERSION, X86), Events())
    return [(each.rule.value, each.severity) for each in found if each.rule.value.startswith("provenance")]


def changed(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    text = path.read_text()
    assert old in text
    path.chmod(0o644)
    path.write_text(text.replace(old, new))


def test_a_build_has_the_statement_of_its_files(tmp_path: Path, build: Build) -> None:
    outcome = build()
    images = json.loads((outcome.path / "meta.json").read_text())["images"]
    assert subjects(outcome.path) == {each["path"]: each["sha256"] for each in images.values()}
    assert outcome.provenance is not None
    assert (outcome.provenance.path, outcome.provenance.cached) == (outcome.path / FILE, False)
    assert FILE in artifact_table(outcome)
    assert outcome.as_dict()["provenance"] == {**outcome.provenance.as_dict()}
    definition = statement(outcome.path)["predicate"]["buildDefinition"]
    assert definition["internalParameters"]["artifacts"]["qemu"]["deploy"] == "osbuild"
    assert "osbuild" in definition["internalParameters"]["artifacts"]["qemu"]["programs"]
    digests = {each["name"]: each["digest"] for each in definition["resolvedDependencies"]}
    assert digests["layer"] == {"sha256": images["oci-manifest"]["sha256"]}
    assert digests["recipes"] == {"dirHash": recipes_digest()}
    # A path means nothing on another machine.
    assert str(tmp_path) not in (outcome.path / FILE).read_text()
    assert broken(tmp_path) == []


def test_a_second_run_keeps_it_and_more_images_are_added(tmp_path: Path, build: Build) -> None:
    first = build()
    before = (first.path / FILE).stat().st_ino
    kept = build()
    assert kept.provenance is not None and kept.provenance.cached
    assert (first.path / FILE).stat().st_ino == before
    build(platforms=(platform("aws", X86),))
    assert {f"rhcos-{VERSION}-aws.x86_64.vmdk", QEMU} <= subjects(first.path).keys()
    assert broken(tmp_path) == []


def test_the_same_request_gives_the_same_bytes(tmp_path: Path, build: Build) -> None:
    one, other = build(), build(builds=tmp_path / "others")
    assert (one.path / FILE).read_bytes() == (other.path / FILE).read_bytes()


def test_compressing_changes_it(tmp_path: Path, build: Build) -> None:
    folder, events = build().path, Events()
    before = subjects(folder)
    each_build(tmp_path / "builds", VERSION, X86, lambda each: compress_images(each, Compressor.GZIP, events))
    packed = subjects(folder)
    assert packed.keys() - before.keys() == {f"{QEMU}.gz"}
    # Whoever uncompresses it has a subject too.
    assert packed[QEMU] == before[QEMU]
    assert broken(tmp_path) == []
    each_build(tmp_path / "builds", VERSION, X86, lambda each: uncompress_images(each, events))
    assert subjects(folder) == before


def test_what_verify_finds(tmp_path: Path, build: Build) -> None:
    folder = build().path
    good, meta = (folder / FILE).read_text(), (folder / "meta.json").read_text()
    digest = subjects(folder)[QEMU]
    changed(folder, "meta.json", digest, "0" * 64)
    assert broken(tmp_path) == [("provenance-subject", "error")]
    (folder / "meta.json").write_text(meta)
    changed(folder, FILE, f'"{QEMU}"', '"x"')
    assert broken(tmp_path) == [
        ("provenance-digest", "error"), ("provenance-subject", "error"), ("provenance-artifact", "warning"),
    ]  # fmt: skip
    (folder / FILE).write_text(good)
    changed(folder, FILE, '"name": "layer"', '"name": "another"')
    assert broken(tmp_path)[1:] == [("provenance-layer", "error")]
    for text in ("", good.replace("https://slsa.dev/provenance/v1", "https://example.com/x")):
        (folder / FILE).write_text(text)
        assert broken(tmp_path)[1:] == [("provenance-malformed", "error")]
    (folder / FILE).unlink()
    assert broken(tmp_path) == [("provenance-gone", "error")]
    record = json.loads((folder / RECORD).read_text())
    del record["provenance"]
    (folder / RECORD).write_text(json.dumps(record))
    assert broken(tmp_path) == [("provenance-gone", "error")]


def test_an_image_of_another_program_is_a_warning(tmp_path: Path, build: Build) -> None:
    folder = build().path
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "x.raw").write_bytes(b"x")
    meta["images"]["dasd"] = {"path": "x.raw", "sha256": "0" * 64, "size": 1}
    (folder / "meta.json").write_text(json.dumps(meta))
    assert broken(tmp_path) == [("provenance-subject", "warning")]


def test_where_the_layer_came_from_is_recorded_once(tmp_path: Path, build: Build) -> None:
    folder = build().path
    found = read_record(folder).source
    assert found is not None and found.uri.startswith("pkg:oci/") and found.image is None
    # As if another program had put the layer into the build.
    record = json.loads((folder / RECORD).read_text())
    del record["source"]
    (folder / RECORD).write_text(json.dumps(record))
    build()
    assert read_record(folder).source is None
    assert {*subjects(folder)} == {QEMU}

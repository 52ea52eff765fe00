"""The SBOM that a build writes: of the layer's packages, once, the same for the same layer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from bootimg.arch import Arch
from bootimg.builds.companions import companion
from bootimg.builds.find import find_build
from bootimg.builds.folder import BuildDir, open_build
from bootimg.builds.record import RECORD
from bootimg.cache import Cache
from bootimg.checks.purity import Purity
from bootimg.checks.system import system_of_image
from bootimg.cli.commands.build import artifact_table
from bootimg.disk.layer_deploy import PROGRAMS
from bootimg.errors import BootimgError
from bootimg.events import Event, Events, Message
from bootimg.jobs import Stop
from bootimg.layer.tree.merged import Tree
from bootimg.orchestrator.journal import NAME, Journal
from bootimg.orchestrator.mainjob import run_build
from bootimg.orchestrator.progress import BuildProgress
from bootimg.orchestrator.rebuild import rebuild_request
from bootimg.orchestrator.recipes.prepare import open_layer
from bootimg.orchestrator.request import Artifact, Builder, Outcome, Request
from bootimg.orchestrator.targets.layersbom import LayerSbom
from bootimg.orchestrator.work import Work
from bootimg.platform import platform
from bootimg.rpmdb.package import Package
from bootimg.rpmdb.read import read_packages
from tests.support.builds.killing import killed_before_write
from tests.support.layers import oci
from tests.support.program import program
from tests.unit.osbuild.test_builder import StandIn, note, stand_in
from tests.unit.rpmdb.test_database import PLACE, database, header

__all__ = ["stand_in"]
VERSION = oci.LABELS["org.opencontainers.image.version"]
FILE = f"rhcos-{VERSION}-sbom.x86_64.spdx.json"
X86 = Arch.X86_64
Build = Callable[..., Outcome]


def packages(folder: Path, *names: str) -> oci.Member:
    blobs = tuple(header(name=name, version="1", release="2.el9", arch="x86_64") for name in names)
    folder.mkdir(exist_ok=True)
    return oci.file(PLACE, database(folder / "made", blobs=blobs))


def image(folder: Path, *members: oci.Member) -> oci.Layout:
    layout = oci.Layout(folder / "image")
    layout.add([oci.bootable(*map(oci.file, PROGRAMS), *members)])
    return layout


@pytest.fixture
def build(tmp_path: Path, stand_in: StandIn) -> Build:
    """Builds of the layer, whole, with a stand-in for osbuild; the arguments change the request."""
    stand_in()
    if Arch.of_machine() is not X86:
        pytest.skip("the image is for x86_64")

    def build(**changes: object) -> Outcome:
        asked = replace(request(tmp_path), builder=Builder.OSBUILD, **changes)  # type: ignore[arg-type]
        return run_build(asked, Cache(tmp_path / "cache"), Events())

    return build


def request(folder: Path) -> Request:
    return Request(
        reference=str(folder / "image"),
        arch=X86,
        platforms=(platform("qemu", X86),),
        builds=folder / "builds",
        accelerator="tcg",
    )


def test_a_build_has_the_document_of_its_layer(tmp_path: Path, build: Build) -> None:
    image(tmp_path, packages(tmp_path, "bash", "kernel"))
    outcome = build()
    file = outcome.path / FILE
    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    assert outcome.sbom is not None
    assert (outcome.sbom.path, outcome.sbom.sha256, outcome.sbom.cached) == (file, digest, False)
    assert file.stat().st_mode & 0o222 == 0
    assert FILE in artifact_table(outcome)
    assert json.loads(json.dumps(outcome.as_dict()))["sbom"]["sha256"] == digest
    assert json.loads((outcome.path / RECORD).read_text())["sbom"] == {
        "path": FILE, "sha256": digest, "size": len(data)}  # fmt: skip
    document = parse_file(str(file))
    assert validate_full_spdx_document(document, "SPDX-2.3") == []
    described, *contained = document.packages
    assert [each.name for each in contained] == ["bash", "kernel"]
    manifest = json.loads((outcome.path / "meta.json").read_text())["images"]["oci-manifest"]
    assert [each.value for each in described.checksums] == [manifest["sha256"]]
    steps = [(each["step"], each["state"]) for each in Journal(outcome.path / NAME).records()]
    assert steps.index(("sbom", "done")) < steps.index(("osbuild", "begun"))
    assert "sbom" not in (outcome.path / "meta.json").read_text()


def test_it_is_kept_and_made_again_only_where_it_is_gone_or_another(tmp_path: Path, build: Build) -> None:
    image(tmp_path, packages(tmp_path, "bash"))
    file = build().path / FILE
    data, number = file.read_bytes(), file.stat().st_ino
    kept = build()
    assert (kept.sbom is not None and kept.sbom.cached, file.stat().st_ino) == (True, number)
    for damage in (file.unlink, lambda: file.write_bytes(data.replace(b"bash", b"dash"))):
        file.chmod(0o644)
        damage()
        made = build()
        assert (made.sbom is not None and made.sbom.cached, file.read_bytes()) == (False, data)
    number = file.stat().st_ino
    build(force=True)
    assert file.read_bytes() == data
    assert file.stat().st_ino != number


def test_more_artifacts_of_a_build_leave_it_and_make_it_where_it_is_missing(
    tmp_path: Path, build: Build
) -> None:
    image(tmp_path, packages(tmp_path, "bash"))
    first = build()
    file = first.path / FILE
    data = file.read_bytes()
    again = rebuild_request(find_build(tmp_path / "builds", VERSION, X86), request(tmp_path))
    number = file.stat().st_ino
    build(reference=again.reference, source=again.source)
    assert file.stat().st_ino == number
    file.unlink()
    (first.path / RECORD).unlink()
    build(reference=again.reference, source=again.source)
    assert file.read_bytes() == data
    assert companion(first.path, "sbom") is not None


def test_the_same_layer_gives_the_same_bytes_wherever_it_came_from(tmp_path: Path, build: Build) -> None:
    archive = image(tmp_path, packages(tmp_path, "bash")).archive(tmp_path / "x.ociarchive")
    one, other = build(), build(reference=str(archive), builds=tmp_path / "others")
    assert (one.path / FILE).read_bytes() == (other.path / FILE).read_bytes()


@pytest.mark.parametrize("purity", Purity)
def test_the_database_is_read_once_whatever_is_done_about_purity(
    tmp_path: Path, build: Build, purity: Purity, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tree] = []

    def reading(tree: Tree, folder: Path) -> list[Package] | None:
        seen.append(tree)
        return read_packages(tree, folder)

    monkeypatch.setattr("bootimg.checks.system.read_packages", reading)
    image(tmp_path, packages(tmp_path, "bash"))
    assert (build(purity=purity).path / FILE).is_file()
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "the layer has no package database"), (b"none", "the image's package database cannot be read")],
    ids=["none", "unreadable"],
)
def test_without_a_database_there_is_a_warning_and_no_document(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    image(tmp_path, *([oci.file(PLACE, content)] if content is not None else []))
    said: list[Event] = []
    with open_build(tmp_path / "builds", VERSION, X86) as folder:
        assert write_sbom(work(tmp_path, folder, Events([note(said)]))) is None
    (warning,) = [each for each in said if isinstance(each, Message) and each.level == "warning"]
    assert warning.text.startswith(f"no SBOM is written: {why}")
    assert companion(folder.path, "sbom") is None
    assert not list(folder.path.glob("*.json"))


def test_a_build_without_packages_goes_on_to_its_end(tmp_path: Path, build: Build) -> None:
    image(tmp_path)
    outcome = build()
    assert outcome.sbom is None
    assert [each.key for each in outcome.artifacts] == ["ostree", "qemu"]


def test_killed_before_a_write_it_is_whole_or_not_there(tmp_path: Path) -> None:
    image(tmp_path, packages(tmp_path, "bash"))
    sbom_of_build(tmp_path, "first")
    wanted, killed, number = "", True, 0
    while killed:
        killed = killed_before_write(number, sbom_of_build, tmp_path, f"builds{number}")
        folder = tmp_path / f"builds{number}" / VERSION / X86
        found = companion(folder, "sbom") if folder.exists() else None
        assert found is None or found.is_whole(folder)
        made = sbom_of_build(tmp_path, f"builds{number}")
        assert made is not None
        assert (wanted or made.sha256) == made.sha256
        wanted = made.sha256
        left = {each.name for each in folder.iterdir() if not each.name.startswith(".")}
        assert left == {FILE, RECORD}
        number += 4
    assert number > 8


def sbom_of_build(folder: Path, builds: str) -> Artifact | None:
    """The SBOM of the build, of which nothing else is made."""
    with open_build(folder / builds, VERSION, X86) as build:
        return write_sbom(work(folder, build, Events()))


def write_sbom(job: Work) -> Artifact | None:
    """What the step makes or finds."""
    target = LayerSbom()
    kept = target.existing(job)
    found = target.make(job, Stop()) if kept is None else kept
    return found[0] if found else None


def work(folder: Path, build: BuildDir, events: Events) -> Work:
    cache = Cache(folder / "cache")
    asked = request(folder)
    layer = open_layer(asked, cache, Events())
    held = system_of_image(layer.image, layer.tree, folder)
    return Work(asked, layer, build, Journal(build.file(NAME)), cache, events, BuildProgress(asked), held)


def test_the_command_prints_the_same_bytes(tmp_path: Path, build: Build) -> None:
    image(tmp_path, packages(tmp_path, "bash"))
    outcome = build()
    file = outcome.path / FILE
    data = file.read_text()
    words = ["rpmdb", "sbom", "latest", "-o", tmp_path / "builds", "--cache", tmp_path / "cache"]
    assert program(*words).stdout == data
    assert program(*words, "--json").stdout == data
    file.chmod(0o644)
    file.write_text(data.replace("bash", "dash"))
    assert "artifact-damaged" in program(*words).stderr
    file.unlink()
    assert program(*words).stdout == data


def test_a_build_is_inspected_with_its_sbom(tmp_path: Path, build: Build) -> None:
    image(tmp_path, packages(tmp_path, "bash"))
    outcome = build()
    words = ["inspect", "latest", "-o", tmp_path / "builds", "--cache", tmp_path / "cache"]
    assert json.loads(program(*words, "--json").stdout)["sbom"]["path"] == FILE
    assert FILE in program(*words).stdout
    (outcome.path / FILE).unlink()
    assert json.loads(program(*words, "--json").stdout)["sbom"]["present"] is False


def test_a_damaged_record_is_told(tmp_path: Path, build: Build) -> None:
    image(tmp_path, packages(tmp_path, "bash"))
    (build().path / RECORD).write_text('{"sbom": []}')
    with pytest.raises(BootimgError) as error:
        build()
    assert error.value.id == "build-record-malformed"

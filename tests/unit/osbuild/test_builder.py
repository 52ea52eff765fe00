"""The builder osbuild: a program that plays what the real one said, and the real one where it is there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bootimg import process
from bootimg.arch import Arch
from bootimg.builds.find import digest_of
from bootimg.cache import Cache
from bootimg.cli.main import bootimg
from bootimg.disk.base import disk_gpt
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import read_gpt
from bootimg.disk.layer_deploy import PROGRAMS
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Event, Events, Sink, StepFinished, StepProgress, StepStarted
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipes
from bootimg.manifest.render import canonical_json
from bootimg.orchestrator import refusals
from bootimg.orchestrator.buildsteps import osbuildstep as by_osbuild
from bootimg.orchestrator.journal import NAME, Journal
from bootimg.orchestrator.mainjob import run_build
from bootimg.orchestrator.plan import make_plan
from bootimg.orchestrator.request import Builder, Outcome, Request
from bootimg.osbuild import program
from bootimg.osbuild.monitor import read_records
from bootimg.osbuild.run import Job, run
from bootimg.platform import platform
from tests.support.layers import oci
from tests.support.layers.manifests import pipeline, rendered
from tests.support.osbuild_source import buildable_here, real_osbuild, small_manifest
from tests.unit.manifest.test_schema import MANIFESTS

HERE = Path(__file__).parent
VERSION = oci.LABELS["org.opencontainers.image.version"]
QCOW2 = f"rhcos-{VERSION}-qemu.x86_64.qcow2"
StandIn = Callable[..., Path]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Puts the stand-in before all else on PATH and returns its folder; the arguments are its plan."""

    def install(records: str = "success", **plan: Any) -> Path:  # noqa: ANN401
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        script = (HERE / "stand_in.py").read_text()
        (folder / "osbuild").write_text(f"#!{sys.executable}\n{script}")
        (folder / "podman").write_text("#!/bin/sh\n")
        for name in ("osbuild", "podman"):
            (folder / name).chmod(0o755)
        (folder / "plan.json").write_text(json.dumps(plan))
        shutil.copy(HERE / f"{records}.seq", folder / "records.seq")
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        return folder

    return install


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    layout = oci.Layout(tmp_path / "image")
    layout.add([oci.bootable(*map(oci.file, PROGRAMS))])
    arch = Arch.of_machine()
    if arch is not Arch.X86_64:
        pytest.skip("the image is for x86_64")
    return Request(
        reference=str(layout.path),
        arch=arch,
        platforms=(platform("qemu", arch),),
        builds=tmp_path / "builds",
        accelerator="tcg",
        builder=Builder.OSBUILD,
    )


def job(tmp_path: Path, folder: Path, **changes: Any) -> Job:  # noqa: ANN401
    manifest = tmp_path / "manifest.json"
    archive = tmp_path / "layer.ociarchive"
    archive.write_bytes(b"archive")
    if not manifest.exists():
        manifest.write_text(canonical_json(small_manifest(archive, "disk.qcow2")))
    for name in ("store", "output"):
        (tmp_path / name).mkdir(exist_ok=True)
    found = Job(
        program=folder / "osbuild",
        manifest=manifest,
        exports=["qemu"],
        checkpoints=["raw-image"],
        store=tmp_path / "store",
        output=tmp_path / "output",
        log=tmp_path / "log",
    )
    return replace(found, **changes)


def refused(action: Callable[[], object]) -> BootimgError:
    with pytest.raises(BootimgError) as error:
        action()
    return error.value


def note(seen: list[Event]) -> Sink:
    def sink(event: Event) -> None:
        seen.append(event)

    return sink


def steps(events: list[Event]) -> list[tuple[str, int | None, bool]]:
    """Name, stages done at last, and whether it went well, of every step of a pipeline."""
    done = {each.step: each.done for each in events if isinstance(each, StepProgress)}
    return [
        (each.step, done.get(each.step), not each.failed)
        for each in events
        if isinstance(each, StepFinished) and each.step.startswith("osbuild-")
    ]


STEPS = [
    ("osbuild-org.osbuild.curl", None, True),
    ("osbuild-oci-archive", 1, True),
    ("osbuild-raw-image", 3, True),
    ("osbuild-raw-qemu-image", 2, True),
    ("osbuild-qemu", 1, True),
]


def test_recorded_contexts_are_found_by_their_id() -> None:
    records = list(read_records((HERE / "success.seq").read_bytes().splitlines()))
    assert {record.pipeline for record in records[1:]} >= {"oci-archive", "qemu"}
    finished = [(each.pipeline, each.result.name) for each in records if each.result]
    assert finished[-2:] == [("raw-qemu-image", "org.osbuild.truncate"), ("qemu", "org.osbuild.qemu")]
    assert all(each.result.success for each in records if each.result)


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"\x1e{", b"\x1e[]", b'\x1e{"context": 1}', b'\x1e{"progress": "x"}', b"[" * 100_000),
        b'\x1e{"progress": {"progress": {"done": 1e400}}}',
    ],
    ids=range(7),
)
def test_an_invalid_record_is_skipped(line: bytes) -> None:
    good = b'\x1e{"message": "hello"}\n'
    assert [record.message for record in read_records([line, good])] == ["hello"]


def test_pipelines_become_steps_with_their_stages(stand_in: StandIn, tmp_path: Path) -> None:
    seen: list[Event] = []
    run(job(tmp_path, stand_in()), Events([note(seen)]))
    assert steps(seen) == STEPS
    totals = {each.step: (each.total, each.unit) for each in seen if isinstance(each, StepStarted)}
    assert totals["osbuild-raw-qemu-image"] == (2, "stages")
    log = (tmp_path / "log").read_text()
    assert "Starting module org.osbuild.qemu" in log
    assert "Not doing anything with these options" in log
    assert "Pipelines" in log


def test_the_command_line_is_osbuild_s(stand_in: StandIn, tmp_path: Path) -> None:
    folder = stand_in()
    run(job(tmp_path, folder, checkpoints=["tree", "raw-image"]), Events())
    (words,) = [json.loads(line) for line in (folder / "calls.ndjson").read_text().splitlines()]
    number = words[words.index("--monitor-fd") + 1]
    assert words == [
        *("--store", str(tmp_path / "store"), "--output-directory", str(tmp_path / "output")),
        *("--cache-max-size", "20GiB", "--checkpoint", "tree", "--checkpoint", "raw-image"),
        *("--export", "qemu", "--monitor", "JSONSeqMonitor", "--monitor-fd", number),
        str(tmp_path / "manifest.json"),
    ]


def test_a_failed_stage_is_named_with_its_last_words(stand_in: StandIn, tmp_path: Path) -> None:
    seen: list[Event] = []
    folder = stand_in("failure", code=1)
    error = refused(lambda: run(job(tmp_path, folder), Events([note(seen)])))
    assert (error.id, error.exit_code) == ("osbuild-failed", ExitCode.FAILED)
    assert error.message == "osbuild failed in org.osbuild.copy of the pipeline raw-qemu-image"
    assert any("returned non-zero exit status 1" in line for line in error.context)
    assert f"log: {tmp_path / 'log'}" in error.context
    assert steps(seen)[-1] == ("osbuild-raw-qemu-image", 1, False)


def test_a_failed_source_is_named(stand_in: StandIn, tmp_path: Path) -> None:
    folder = stand_in("source-failure", code=1)
    error = refused(lambda: run(job(tmp_path, folder), Events()))
    assert error.message == "osbuild failed in source org.osbuild.curl"
    assert any("file:///srv/absent" in line for line in error.context)


def test_a_failure_unknown_to_the_monitor_is_reported_from_the_log(stand_in: StandIn, tmp_path: Path) -> None:
    folder = stand_in(code=1, says="Traceback: no bwrap")
    error = refused(lambda: run(job(tmp_path, folder), Events()))
    assert error.message == "osbuild failed"
    assert "Traceback: no bwrap" in error.context
    assert "osbuild exited with 1" in error.context


def test_a_failed_stage_counts_whatever_the_exit_code_says(stand_in: StandIn, tmp_path: Path) -> None:
    folder = stand_in("failure", exports=[])
    assert refused(lambda: run(job(tmp_path, folder), Events())).id == "osbuild-failed"


def test_a_full_disk_is_named(stand_in: StandIn, tmp_path: Path) -> None:
    folder = stand_in(code=1, says="cp: error writing 'disk.img': No space left on device")
    assert refused(lambda: run(job(tmp_path, folder), Events())).id == "no-space-left"


@pytest.mark.parametrize(("hang", "seconds"), [("polite", 3), ("stubborn", 12)])
def test_an_interruption_stops_osbuild_and_its_children(
    hang: str, seconds: int, stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if hang == "stubborn":
        monkeypatch.setattr("bootimg.osbuild.run._GRACE", 1.0)
    folder = stand_in(hang=hang)
    timer = threading.Thread(target=_interrupt_when, args=(folder / "hangs",))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run(job(tmp_path, folder), Events())
    timer.join()
    assert time.time() - (folder / "hangs").stat().st_mtime < seconds
    assert (folder / "unmounted").exists() == (hang == "polite")
    assert not _runs(int((folder / "child").read_text()))


def _interrupt_when(sign: Path) -> None:
    while not sign.exists():
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_build_has_the_names_entries_and_journal_of_any_other(
    stand_in: StandIn, request_: Request, cache: Cache
) -> None:
    folder = stand_in()
    outcome = run_build(request_, cache, Events())
    image = outcome.path / QCOW2
    entry = _meta(outcome)["images"]["qemu"]
    assert entry == {"path": QCOW2, "sha256": digest_of(image), "size": image.stat().st_size}
    assert image.stat().st_mode & 0o222 == 0
    assert [each.key for each in outcome.artifacts] == ["ostree", "qemu"]
    names = [record["step"] for record in Journal(outcome.path / NAME).records()]
    steps = ("import", "archive", "sbom", "osbuild", "qemu")
    assert names == ["build", *(step for step in steps for _ in ("begun", "done")), "build"]
    assert not (outcome.path / ".scratch").exists()
    (inspect, build) = [json.loads(line) for line in (folder / "calls.ndjson").read_text().splitlines()][-2:]
    assert inspect[0] == "--inspect"
    kept = [build[index + 1] for index, word in enumerate(build) if word == "--checkpoint"]
    assert kept == ["deployed-tree", "tree", "raw-image"]


def test_what_is_wrapped_is_taken_and_an_ova_is_made_around_its_disk(
    stand_in: StandIn, request_: Request, cache: Cache, tmp_path: Path
) -> None:
    stand_in()
    wanted = tuple(platform(name, Arch.X86_64) for name in ("gcp", "kubevirt", "vmware", "virtualbox"))
    outcome = run_build(replace(request_, platforms=wanted), cache, Events())
    entries = _meta(outcome)["images"]
    for each in wanted:
        entry, path = entries[each.name], outcome.path / entries[each.name]["path"]
        assert path.name == f"rhcos-{VERSION}-{each.name}.x86_64.{each.suffix}"
        assert (entry["skip-compression"], entry["sha256"]) == (True, digest_of(path))
        assert "uncompressed-sha256" not in entry
    for name in ("vmware", "virtualbox"):
        with tarfile.open(outcome.path / entries[name]["path"]) as ova:
            assert ova.getnames() == ["coreos.ovf", "disk.vmdk"]
            ova.extractall(tmp_path, filter="data")
        said = subprocess.run(["qemu-img", "info", "--output=json", tmp_path / "disk.vmdk"],
                              capture_output=True, check=True).stdout  # fmt: skip
        assert f'ovf:capacity="{json.loads(said)["virtual-size"]}"' in (tmp_path / "coreos.ovf").read_text()
        assert json.loads(said)["virtual-size"] == 4 << 30


def test_osbuild_gets_the_rendered_manifest_and_the_archive_of_the_build(
    stand_in: StandIn, request_: Request, cache: Cache
) -> None:
    folder = stand_in()
    outcome = run_build(request_, cache, Events())
    given = json.loads((folder / "manifest.json").read_text())
    (item,) = given["sources"]["org.osbuild.curl"]["items"].items()
    archive = outcome.artifacts[0]
    assert item == (f"sha256:{archive.sha256}", f"file://{archive.path.absolute()}")
    assert [each["name"] for each in given["pipelines"]][-2:] == ["raw-qemu-image", "qemu"]


def test_what_is_made_is_not_made_again(stand_in: StandIn, request_: Request, cache: Cache) -> None:
    folder = stand_in()
    run_build(request_, cache, Events())
    calls = (folder / "calls.ndjson").read_text().count("\n")
    again = run_build(request_, cache, Events())
    assert all(each.cached for each in again.artifacts)
    # Only its version is asked for.
    assert (folder / "calls.ndjson").read_text().count("\n") == calls + 1
    run_build(replace(request_, force=True), cache, Events())
    assert (folder / "calls.ndjson").read_text().count("\n") == calls * 2 + 1


@pytest.mark.parametrize(
    ("plan", "what"),
    [
        ({"exports": []}, "is missing"),
        ({"filename": "other.qcow2"}, "is missing"),
        ({"beside": ["more"]}, "it has more"),
        ({"size": 1 << 20}, "the disk has 1048576 bytes instead of 4294967296"),
    ],
)
def test_the_exported_file_is_checked(
    plan: dict[str, Any], what: str, stand_in: StandIn, request_: Request, cache: Cache
) -> None:
    stand_in(**plan)
    error = refused(lambda: run_build(request_, cache, Events()))
    assert error.id == "osbuild-export-invalid"
    assert any(what in line for line in error.context)
    folder = request_.builds / VERSION / "x86_64"
    assert "qemu" not in json.loads((folder / "meta.json").read_bytes())["images"]
    assert not (folder / QCOW2).exists()
    assert not (folder / ".scratch").exists()


def test_until_knows_the_step_of_osbuild(stand_in: StandIn, request_: Request, cache: Cache) -> None:
    stand_in()
    assert (
        refused(lambda: run_build(replace(request_, stop_after="base"), cache, Events())).id == "step-unknown"
    )
    outcome = run_build(replace(request_, stop_after="osbuild"), cache, Events())
    assert [each.key for each in outcome.artifacts] == ["ostree"]
    assert outcome.kept["osbuild"] == cache.root / "osbuild"
    assert [each.key for each in run_build(request_, cache, Events()).artifacts] == ["ostree", "qemu"]


def test_a_build_that_failed_is_gone_on_with(stand_in: StandIn, request_: Request, cache: Cache) -> None:
    stand_in("failure", code=1)
    assert refused(lambda: run_build(request_, cache, Events())).id == "osbuild-failed"
    folder = request_.builds / VERSION / "x86_64"
    assert Journal(folder / NAME).failed() == ("osbuild",)
    stand_in()
    outcome = run_build(request_, cache, Events())
    assert [each.cached for each in outcome.artifacts] == [True, False]


def test_an_interrupted_build_leaves_nothing_half_written(
    stand_in: StandIn, request_: Request, cache: Cache
) -> None:
    folder = stand_in(hang="polite")
    words = [sys.executable, "-m", "bootimg", "build", request_.reference, "--arch", "x86_64", "--builder"]
    words += ["osbuild", "-o", str(request_.builds), "--cache", str(cache.root)]
    script = "import os, runpy; os.geteuid = lambda: 0; runpy.run_module('bootimg', run_name='__main__')"
    words[1:3] = ["-c", script]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        _wait_for(folder / "hangs", child)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=30)
    assert child.returncode == ExitCode.INTERRUPTED, said
    assert not _runs(int((folder / "child").read_text()))
    build = request_.builds / VERSION / "x86_64"
    assert not list(build.rglob("*.qcow2"))
    assert list(json.loads((build / "meta.json").read_bytes())["images"]) == ["ostree", "oci-manifest"]
    stand_in()
    assert run_build(request_, cache, Events()).artifacts[1].path.name == QCOW2


def _wait_for(sign: Path, child: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while not sign.exists():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_refused_manifest_is_reported_with_the_place(
    stand_in: StandIn, request_: Request, cache: Cache
) -> None:
    path = ["pipelines", 3, "stages", 4, "options"]
    errors = [{"message": "Additional properties are not allowed ('agcuont' was unexpected)", "path": path}]
    stand_in(refusal={"success": False, "errors": errors})
    error = refused(lambda: run_build(request_, cache, Events()))
    assert error.id == "osbuild-manifest-refused"
    assert error.context[0].startswith("pipelines[3].stages[4].options: Additional properties")


def test_the_hint_tells_how_to_install_osbuild(
    request_: Request, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "find", lambda name: None)
    error = refused(lambda: run_build(request_, cache, Events()))
    assert (error.id, error.exit_code) == ("osbuild-missing", ExitCode.ENVIRONMENT)
    assert "dnf install osbuild osbuild-ostree" in str(error.hint)
    assert not request_.builds.exists()
    assert not cache.root.exists() or not (cache.root / "blobs").exists()


def test_an_ordinary_user_is_refused_because_osbuild_needs_root(
    stand_in: StandIn, request_: Request, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    error = refused(lambda: run_build(request_, cache, Events()))
    assert (error.id, error.exit_code) == ("osbuild-needs-root", ExitCode.ENVIRONMENT)


def test_programs_of_its_stages_are_required_in_the_first_second(
    stand_in: StandIn, request_: Request, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in()
    find = process.find
    monkeypatch.setattr(process, "find", lambda name: None if name == "podman" else find(name))
    for work in (lambda: run_build(request_, cache, Events()), lambda: make_plan(request_, cache)):
        error = refused(work)
        assert (error.id, error.exit_code) == ("program-missing", ExitCode.ENVIRONMENT)
        assert "podman" in error.message
        assert "--builder own" in str(error.hint)
    assert not (cache.root / "blobs").exists()


def test_a_layer_that_cannot_deploy_itself_is_refused(
    stand_in: StandIn, request_: Request, cache: Cache, tmp_path: Path
) -> None:
    stand_in()
    layout = oci.Layout(tmp_path / "bare")
    layout.add([oci.bootable()])
    bare = replace(request_, reference=str(layout.path))
    error = refused(lambda: run_build(bare, cache, Events()))
    assert (error.id, error.exit_code) == ("deploy-program-missing", ExitCode.USAGE)
    assert "--builder own" in str(error.hint)
    assert refused(lambda: make_plan(bare, cache)).id == "deploy-program-missing"
    assert not bare.builds.exists()


def test_an_old_osbuild_is_refused(stand_in: StandIn, request_: Request, cache: Cache) -> None:
    stand_in(version=89)
    error = refused(lambda: run_build(request_, cache, Events()))
    assert (error.id, error.exit_code) == ("program-too-old", ExitCode.ENVIRONMENT)


def test_a_foreign_architecture_is_refused() -> None:
    foreign = next(arch for arch in Arch if arch is not Arch.of_machine())
    error = refused(lambda: refusals.refuse_other_arches(foreign, Builder.OSBUILD))
    assert error.id == "arch-build-unsupported"
    refusals.refuse_other_arches(Arch.of_machine(), Builder.OSBUILD)


def test_a_plan_has_osbuild_instead_of_the_base_disk(
    stand_in: StandIn, request_: Request, cache: Cache
) -> None:
    stand_in()
    names = [step.name for step in make_plan(request_, cache).steps]
    assert names == ["fetch", "layers", "import", "archive", "sbom", "osbuild", "qemu"]


def test_podman_is_required_in_the_first_second(
    stand_in: StandIn, request_: Request, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stand_in()
    find = process.find
    monkeypatch.setattr(process, "find", lambda name: None if name == "podman" else find(name))
    for verb in (lambda: make_plan(request_, cache), lambda: run_build(request_, cache, Events())):
        error = refused(verb)
        assert (error.id, error.exit_code) == ("program-missing", ExitCode.ENVIRONMENT)
    assert folder.is_dir()
    assert not cache.root.exists()


def test_a_layer_that_osbuild_cannot_deploy_is_refused_before_it_is_imported(
    stand_in: StandIn, request_: Request, cache: Cache, tmp_path: Path
) -> None:
    stand_in()
    other = oci.Layout(tmp_path / "other")
    other.add([oci.bootable()])
    request = replace(request_, reference=str(other.path))
    for verb in (lambda: run_build(request, cache, Events()), lambda: make_plan(request, cache)):
        assert refused(verb).id == "deploy-program-missing"
    assert not request.builds.exists()
    assert not (cache.root / "repo").exists()


def test_the_verb_takes_the_builder_from_the_environment(
    stand_in: StandIn, request_: Request, cache: Cache
) -> None:
    stand_in()
    words = ["build", request_.reference, "--arch", "x86_64", "-o", str(request_.builds), "--json"]
    result = CliRunner().invoke(
        bootimg, [*words, "--cache", str(cache.root)], env={"BOOTIMG_BUILDER": "osbuild"}
    )
    assert result.exit_code == 0, result.stderr
    artifacts = json.loads(result.stdout)["artifacts"]
    assert [Path(each["path"]).name for each in artifacts][1:] == [QCOW2]


@pytest.mark.parametrize("name", MANIFESTS)
def test_real_osbuild_accepts_the_manifest(name: str, tmp_path: Path) -> None:
    found = real_osbuild(tmp_path / "bin")
    manifest = tmp_path / "manifest.json"
    manifest.write_text(canonical_json(MANIFESTS[name]()))
    program.inspect(found, manifest)


def test_real_osbuild_refuses_what_is_wrong(tmp_path: Path) -> None:
    found = real_osbuild(tmp_path / "bin")
    manifest = tmp_path / "manifest.json"
    manifest.write_text(canonical_json(MANIFESTS["x86_64"]()).replace('"agcount"', '"agcuont"'))
    error = refused(lambda: program.inspect(found, manifest))
    assert error.id == "osbuild-manifest-refused"
    assert "agcuont" in error.context[0]


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real osbuild, the first on PATH, where it can run stages."""
    found = real_osbuild(tmp_path / "bin")
    buildable_here()
    monkeypatch.setenv("PATH", f"{found.parent}:{os.environ['PATH']}")
    return found


def test_real_osbuild_says_what_was_recorded(real: Path, tmp_path: Path) -> None:
    seen: list[Event] = []
    run(job(tmp_path, real.parent), Events([note(seen)]))
    assert steps(seen) == STEPS
    assert (tmp_path / "output" / "qemu" / "disk.qcow2").stat().st_size
    # raw-image is a checkpoint: the second run goes on from there.
    seen.clear()
    again = job(tmp_path, real.parent, output=tmp_path / "again")
    run(again, Events([note(seen)]))
    assert [name for name, _, _ in steps(seen)] == ["osbuild-org.osbuild.curl", *(s[0] for s in STEPS[-2:])]


def test_real_osbuild_fails_as_was_recorded(real: Path, tmp_path: Path) -> None:
    small = small_manifest(Path(__file__), "disk.qcow2")
    small["pipelines"][3]["stages"][0]["options"]["paths"][0]["from"] = "input://tree/nothing.img"
    (tmp_path / "manifest.json").write_text(canonical_json(small))
    error = refused(lambda: run(job(tmp_path, real.parent), Events()))
    assert error.message == "osbuild failed in org.osbuild.copy of the pipeline raw-qemu-image"


def test_real_osbuild_makes_a_build(
    real: Path, request_: Request, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole build, with pipelines in the place of the recipe's that can run on any machine."""

    def small(request: Request, layer: object, archive: Path, sha256: str) -> dict[str, Any]:
        return small_manifest(archive.absolute(), QCOW2)

    monkeypatch.setattr(by_osbuild, "render_manifest", small)
    outcome = run_build(request_, cache, Events())
    image = outcome.path / QCOW2
    said = subprocess.run(["qemu-img", "info", "--output=json", image], capture_output=True, check=True)
    assert json.loads(said.stdout)["virtual-size"] == 4 << 30
    assert _meta(outcome)["images"]["qemu"]["sha256"] == digest_of(image)


def test_real_osbuild_is_stopped_and_unmounts(real: Path, tmp_path: Path) -> None:
    archive = tmp_path / "layer.ociarchive"
    archive.write_bytes(b"archive")
    file = {
        "type": "org.osbuild.files",
        "origin": "org.osbuild.pipeline",
        "references": {"name:raw-qemu-image": {"file": "disk.img"}},
    }
    slow = {"type": "org.osbuild.gzip", "inputs": {"file": file}, "options": {"filename": "slow.gz"}}
    small = small_manifest(archive, "disk.qcow2", extra=(slow,))
    (tmp_path / "manifest.json").write_text(canonical_json(small))

    def stop(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "osbuild-qemu":
            threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(job(tmp_path, real.parent), Events([stop]))
    assert time.monotonic() - started < 20
    # Other tests may have osbuild run at the same time, and end.
    while "/run/osbuild/" in Path("/proc/mounts").read_text():
        assert time.monotonic() - started < 60
        time.sleep(0.2)
    assert not list((tmp_path / "output").iterdir())


def test_real_osbuild_makes_the_same_partitions_and_stamps(real: Path, tmp_path: Path) -> None:
    """The first stages of the recipe's raw-image, run: what osbuild makes of them is what bootimg does."""
    if subprocess.run(["losetup", "-f"], capture_output=True).returncode:
        pytest.skip("there are no loop devices here")
    document = rendered(metal_image_size_mb=1024)
    stages = pipeline(document, "raw-image")["stages"]
    first = [stage["type"] for stage in stages].index("org.osbuild.mkdir")
    small = {"version": "2", "pipelines": [{"name": "raw-image", "stages": stages[:first]}]}
    (tmp_path / "manifest.json").write_text(canonical_json(small))
    run(job(tmp_path, real.parent, exports=["raw-image"]), Events())
    disk = tmp_path / "output" / "raw-image" / "disk.img"
    ours = disk_gpt(read_recipes(Manifest.from_json(document))[512].disk, "sha256:" + "0" * 64)
    with FileSource(disk) as source:
        theirs = read_gpt(source)
    assert (theirs.disk_guid, theirs.sectors) == (ours.disk_guid, ours.sectors)
    for found, wanted in zip(theirs.partitions, ours.partitions, strict=True):
        for part in ("number", "name", "type_guid", "start", "sectors"):
            assert getattr(found, part) == getattr(wanted, part), wanted
    stamps = [_blkid(disk, *theirs.span(number)) for number in (2, 3, 4)]
    assert stamps == [
        ("vfat", "7B77-95E7", "EFI-SYSTEM"),
        ("ext4", "96d15588-3596-4b3c-adca-a2ff7279ea63", "boot"),
        ("xfs", "910678ff-f77e-4a7d-8d53-86f2ac47a823", "root"),
    ]


def _blkid(disk: Path, offset: int, length: int) -> tuple[str, ...]:
    words = ["blkid", "-p", "-O", str(offset), "-S", str(length), "-o", "export", str(disk)]
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    found = dict(line.partition("=")[::2] for line in lines)
    return tuple(found[key] for key in ("TYPE", "UUID", "LABEL"))


def _meta(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((outcome.path / "meta.json").read_bytes())
    return found

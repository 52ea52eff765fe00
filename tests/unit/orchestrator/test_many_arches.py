"""One build of several architectures: which they are, what each of them makes, and what fails as a whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootimg.__main__ import main
from bootimg.api.arches import arch_requests
from bootimg.api.building import plan_arches
from bootimg.arch import Arch, ArchChoice
from bootimg.builds.find import find_builds
from bootimg.cache import Cache
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Event, Events, Message
from bootimg.layer.fetching.arches import architectures_of
from bootimg.orchestrator.mainjob import run_build
from bootimg.orchestrator.manyarches import making
from bootimg.orchestrator.manyarches.names import names_for
from bootimg.orchestrator.manyarches.requests import ArchRequests
from bootimg.orchestrator.manyarches.results import ArchResults
from bootimg.orchestrator.request import Outcome, Request
from tests.support.layers import oci

X86, ARM, POWER, Z = Arch
EVERY, BOTH = ArchChoice(), ArchChoice((X86, ARM))
VERSION = oci.LABELS["org.opencontainers.image.version"]
STREAM = "default_artifacts: {all: [qemu]}\nstreams: {own: {}}\nadditional_arches: [aarch64, s390x]\n"


def index_of(folder: Path, *names: str, **versions: str) -> Path:
    """An OCI directory with an index of bootable images for architectures by their OCI names."""
    layout = oci.Layout(folder / "layout")

    def image(name: str) -> dict[str, Any]:
        labels = oci.LABELS | {"org.opencontainers.image.version": versions.get(name, VERSION)}
        return layout.image([oci.bootable()], arch=name, labels=labels)

    layout.index({name: image(name) for name in names})
    return layout.path


def image_of(folder: Path, name: str) -> Path:
    """An OCI directory with one image, which says its architecture only in its config."""
    layout = oci.Layout(folder / "layout")
    layout.add([oci.bootable()], arch=name)
    return layout.path


def requests(image: Path, choice: ArchChoice, **keywords: Any) -> ArchRequests:  # noqa: ANN401
    return arch_requests(str(image), choice, builds=image.parent / "builds", **keywords)


def refused(call: Callable[[], object]) -> BootimgError:
    with pytest.raises(BootimgError) as caught:
        call()
    return caught.value


def platforms_of(found: ArchRequests) -> Mapping[Arch, list[str]]:
    return {arch: [each.name for each in request.platforms] for arch, request in found.requests.items()}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("all", ()),
        ("x86_64,all", ()),
        ("aarch64", (ARM,)),
        ("arm64, amd64", (ARM, X86)),
        ("s390x,s390x", (Z,)),
    ],
)
def test_the_choice_of_a_text(text: str, named: tuple[Arch, ...]) -> None:
    assert ArchChoice.parse(text).named == named


@pytest.mark.parametrize("text", ["", ",", "vax", "x86_64,vax"])
def test_a_choice_has_known_architectures(text: str) -> None:
    assert refused(lambda: ArchChoice.parse(text)).id == "arch-unknown"


def test_the_architectures_of_an_index_and_of_a_lone_image(tmp_path: Path) -> None:
    layout = oci.Layout(tmp_path / "layout")
    image = layout.image([oci.bootable()], arch="arm64")
    layout.index({"arm64": image, "riscv64": image, "amd64": {**image, "artifactType": "application/x-disk"}})
    assert architectures_of(str(layout.path)) == ("arm64", "riscv64")
    lone = tmp_path / "lone"
    lone.mkdir()
    assert architectures_of(str(image_of(lone, "s390x"))) == ("s390x",)


def test_all_makes_every_architecture_of_an_index(tmp_path: Path) -> None:
    found = requests(index_of(tmp_path, "arm64", "riscv64", "amd64"), EVERY)
    assert platforms_of(found) == {X86: ["qemu"], ARM: ["qemu"]}
    assert found.left_out == {"riscv64": "bootimg does not know this architecture"}


def test_all_of_an_image_of_one_architecture_makes_that_one(tmp_path: Path) -> None:
    assert list(requests(image_of(tmp_path, "arm64"), EVERY).requests) == [ARM]


def test_a_list_has_its_own_order(tmp_path: Path) -> None:
    path = index_of(tmp_path, "arm64", "amd64", "s390x")
    assert list(requests(path, ArchChoice((ARM, X86))).requests) == [ARM, X86]


@pytest.mark.parametrize(
    "make", [lambda folder: image_of(folder, "amd64"), lambda folder: index_of(folder, "amd64")]
)
def test_two_architectures_of_an_image_of_one_are_refused(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    error = refused(lambda: requests(make(tmp_path), BOTH))
    assert (error.id, error.exit_code) == ("layer-arch-mismatch", ExitCode.USAGE)
    assert "is not for aarch64 (arm64)" in error.message
    assert error.context == ("it is for x86_64 (amd64)",)


def test_an_image_of_none_that_is_known_is_refused(tmp_path: Path) -> None:
    error = refused(lambda: requests(index_of(tmp_path, "riscv64", "386"), EVERY))
    assert (error.id, error.context) == ("layer-arch-mismatch", ("it is for riscv64, 386",))


def test_platforms_that_an_architecture_lacks_are_left_out_for_it(tmp_path: Path) -> None:
    path = index_of(tmp_path, "amd64", "ppc64le")
    found = requests(path, EVERY, platforms=["vmware", "qemu", "powervs"])
    assert platforms_of(found) == {X86: ["vmware", "qemu"], POWER: ["qemu", "powervs"]}
    assert found.requests[POWER].selection.left_out == {"vmware": "it exists for x86_64"}
    assert found.requests[X86].selection.left_out == {"powervs": "it exists for ppc64le"}


def test_an_architecture_for_which_nothing_is_left_is_left_out(tmp_path: Path) -> None:
    found = requests(index_of(tmp_path, "amd64", "arm64"), EVERY, platforms=["vmware"])
    assert platforms_of(found) == {X86: ["vmware"]}
    assert found.left_out == {ARM: "vmware: it exists for x86_64"}


def test_a_platform_that_no_architecture_has_is_refused(tmp_path: Path) -> None:
    path = index_of(tmp_path, "ppc64le", "arm64")
    error = refused(lambda: requests(path, EVERY, platforms=["qemu", "vmware"]))
    assert (error.id, error.exit_code) == ("platform-arch-unsupported", ExitCode.USAGE)
    assert error.message == "vmware images do not exist for aarch64 or ppc64le"
    assert error.hint == "vmware exists for x86_64"


def test_a_platform_that_a_named_architecture_lacks_is_refused(tmp_path: Path) -> None:
    error = refused(lambda: requests(index_of(tmp_path, "amd64", "arm64"), BOTH, platforms=["vmware"]))
    assert (error.id, error.message) == (
        "platform-arch-unsupported",
        "vmware images do not exist for aarch64",
    )
    assert error.hint == "vmware exists for x86_64"


def test_a_platform_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    path = index_of(tmp_path, "amd64", "arm64")
    assert refused(lambda: requests(path, EVERY, platforms=["qemu", "vax"])).id == "platform-unknown"


def test_all_stays_for_every_architecture() -> None:
    assert {each.there for each in names_for(["all"], tuple(Arch)).values()} == {("all",)}


def test_a_target_that_is_not_made_for_an_architecture_is_left_out_for_it() -> None:
    """Secure Execution exists for s390x alone, whether bootimg makes it yet or not."""
    try:
        found = names_for(["qemu-secex", "qemu"], tuple(Arch))
    except BootimgError as error:
        assert error.id == "platform-not-buildable"
    else:
        assert [arch for arch, names in found.items() if "qemu-secex" in names.there] == [Z]


def test_a_stream_limits_the_architectures_and_what_it_misses_is_told(tmp_path: Path) -> None:
    streams = tmp_path / "config.yaml"
    streams.write_text(STREAM)
    path = index_of(tmp_path, "amd64", "arm64", "ppc64le")
    found = requests(path, EVERY, stream="own", streams=streams)
    assert list(found.requests) == [X86, ARM]
    assert found.left_out == {
        POWER: "the stream own has no builds for it",
        Z: "the stream own has it, but there is no layer for it",
    }


# What one build makes.


def cache(folder: Path) -> Cache:
    return Cache(folder / "cache")


def note(seen: list[Event]) -> Events:
    def keep(event: Event) -> None:
        seen.append(event)

    return Events([keep])


def build(
    found: ArchRequests, folder: Path, monkeypatch: pytest.MonkeyPatch, fail: Mapping[Arch, BootimgError]
) -> tuple[ArchResults[Outcome], list[Event]]:
    """What `build_arches` makes of the requests, with a build that does nothing, or fails."""

    def run(request: Request, _: Cache, events: Events) -> Outcome:
        events.message("at work")
        if request.arch in fail:
            raise fail[request.arch]
        path = request.builds / VERSION / request.arch
        return Outcome(build_id=VERSION, arch=request.arch, path=path, artifacts=(), statistics={})

    monkeypatch.setattr(making, "run_build", run)
    seen: list[Event] = []
    return making.build_arches(found, cache(folder), note(seen)), seen


def possible(monkeypatch: pytest.MonkeyPatch, *arches: Arch) -> None:
    """Let disks be made for these architectures, and for no others."""

    def obstacle(arch: Arch) -> str | None:
        return None if arch in arches else "a bootloader is missing"

    monkeypatch.setattr("bootimg.orchestrator.refusals.disk_obstacle", obstacle)


def texts(seen: list[Event], arch: Arch | None) -> list[str]:
    return [each.text for each in seen if isinstance(each, Message) and each.arch == arch]


def test_each_architecture_is_made_and_its_events_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    possible(monkeypatch, X86, ARM)
    found, seen = build(requests(index_of(tmp_path, "arm64", "amd64"), EVERY), tmp_path, monkeypatch, {})
    assert [each.arch for each in found.values] == [X86, ARM]
    assert (texts(seen, X86), texts(seen, ARM)) == (["at work"], ["at work"])
    assert texts(seen, None) == ["architectures: x86_64, aarch64"]
    document: Any = found.as_dict("outcome")
    assert [each["arch"] for each in document["arches"]] == ["x86_64", "aarch64"]


def test_one_that_fails_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    possible(monkeypatch, X86, ARM)
    fail = {X86: BootimgError("disk-too-small", "it is too small")}
    found, seen = build(requests(index_of(tmp_path, "arm64", "amd64"), BOTH), tmp_path, monkeypatch, fail)
    assert [each.arch for each in found.values] == [ARM]
    assert {arch: error.id for arch, error in found.errors.items()} == {X86: "disk-too-small"}
    assert texts(seen, X86)[-1] == "failed: disk-too-small: it is too small"


def test_if_all_fail_the_first_error_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    possible(monkeypatch, X86, ARM)
    fail = {arch: BootimgError("disk-too-small", f"{arch}") for arch in (X86, ARM)}
    wanted = requests(index_of(tmp_path, "arm64", "amd64"), BOTH)
    assert refused(lambda: build(wanted, tmp_path, monkeypatch, fail)).message == "x86_64"


def test_what_cannot_be_made_is_told_with_all_and_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    possible(monkeypatch, X86)
    path = index_of(tmp_path, "arm64", "amd64")
    found, _ = build(requests(path, EVERY), tmp_path, monkeypatch, {})
    assert [each.arch for each in found.values] == [X86]
    assert [error.id for error in found.errors.values()] == ["arch-build-unsupported"]
    seen: list[str] = []
    monkeypatch.setattr(making, "run_build", lambda request, *_: seen.append(request.arch))
    error = refused(lambda: making.build_arches(requests(path, BOTH), cache(tmp_path), Events()))
    assert (error.id, seen) == ("arch-build-unsupported", [])


@pytest.mark.parametrize("choice", [EVERY, BOTH])
def test_layers_of_different_versions_are_no_build(
    choice: ArchChoice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    possible(monkeypatch, X86, ARM)
    found = requests(index_of(tmp_path, "arm64", "amd64", arm64="9.6.20261102-0"), choice)
    error = refused(lambda: making.build_arches(found, cache(tmp_path), Events()))
    assert (error.id, error.exit_code) == ("layer-versions-differ", ExitCode.USAGE)
    assert set(error.context) == {f"x86_64: {VERSION}", "aarch64: 9.6.20261102-0"}
    assert refused(lambda: making.plan_arches(found, cache(tmp_path))).id == "layer-versions-differ"


def test_a_tag_that_moves_during_the_build_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made of the layer of another version, and the first architecture stays."""
    possible(monkeypatch, X86, ARM)
    (tmp_path / "later").mkdir()
    path, later = index_of(tmp_path, "arm64", "amd64"), "9.6.20261102-0"
    moved = index_of(tmp_path / "later", "arm64", "amd64", arm64=later, amd64=later)

    def run(request: Request, used: Cache, events: Events) -> Outcome:
        if request.arch is ARM:
            request = replace(request, reference=str(moved))
        return run_build(replace(request, stop_after="fetch"), used, events)

    monkeypatch.setattr(making, "run_build", run)
    found = making.build_arches(requests(path, BOTH), cache(tmp_path), Events())
    assert [each.build_id for each in found.values] == [VERSION]
    assert found.errors[ARM].id == "layer-versions-differ"
    assert set(found.errors[ARM].context) == {f"aarch64: {later}", f"before: {VERSION}"}


def test_an_interruption_ends_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    possible(monkeypatch, X86, ARM)
    made: list[Arch] = []

    def run(request: Request, *_: object) -> Outcome:
        made.append(request.arch)
        raise KeyboardInterrupt

    monkeypatch.setattr(making, "run_build", run)
    found = requests(index_of(tmp_path, "arm64", "amd64"), BOTH)
    with pytest.raises(KeyboardInterrupt):
        making.build_arches(found, cache(tmp_path), Events())
    assert made == [X86]


# The commands.


def test_a_plan_has_an_entry_for_each_architecture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    possible(monkeypatch, X86)
    path = index_of(tmp_path, "arm64", "amd64")
    words = [
        "plan",
        str(path),
        "--arch",
        "all",
        "-o",
        str(tmp_path / "builds"),
        "--cache",
        str(tmp_path / "cache"),
    ]
    assert main([*words, "--json"]) == ExitCode.PARTIAL
    document = json.loads(capsys.readouterr().out)
    assert [each["arch"] for each in document["arches"]] == ["x86_64", "aarch64"]
    assert [each["plan"] and each["plan"]["layer"]["arch"] for each in document["arches"]] == ["x86_64", None]
    assert [(each["error"] or {}).get("id") for each in document["arches"]] == [
        None,
        "arch-build-unsupported",
    ]
    assert main(words) == ExitCode.PARTIAL
    text = capsys.readouterr().out
    assert "-qemu.x86_64.qcow2" in text
    assert "failed: aarch64: arch-build-unsupported: " in text
    assert not (tmp_path / "cache").exists()


def test_the_function_plans_what_the_command_plans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    possible(monkeypatch, X86, ARM)
    path, builds, kept = index_of(tmp_path, "arm64", "amd64"), tmp_path / "builds", tmp_path / "cache"
    words = ["--arch", "arm64,x86_64", "-o", str(builds), "--cache", str(kept), "--json"]
    assert main(["plan", str(path), *words]) == ExitCode.OK
    document = comparable(json.loads(capsys.readouterr().out))
    found = plan_arches(str(path), "arm64,x86_64", builds=builds, cache=kept)
    assert document == comparable(found.as_dict("plan"))
    assert [each["arch"] for each in document["arches"]] == ["x86_64", "aarch64"]


def comparable(document: Any) -> Any:  # noqa: ANN401
    """The document without the free space, which others use too."""
    for entry in document["arches"]:
        for space in entry["plan"]["space"]:
            del space["free"]
    return document


def meta(builds: Path, arch: str) -> None:
    folder = builds / VERSION / arch
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(
        json.dumps({"buildid": VERSION, "coreos-assembler.basearch": arch, "images": {}})
    )


def test_all_of_a_build_are_those_that_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Arch, "of_machine", lambda: X86)
    for arch in ("aarch64", "s390x"):
        meta(tmp_path, arch)
    assert [each.arch for each in find_builds(tmp_path, VERSION)] == [ARM, Z]
    error = refused(lambda: arch_requests(None, BOTH, from_build=VERSION, builds=tmp_path))
    assert error.id == "build-not-found"
    found = arch_requests(None, EVERY, from_build=VERSION, builds=tmp_path)
    # Their archives are gone, as the request for one alone would say.
    assert {error.id for error in found.refused.values()} == {"artifact-missing"}

"""One list of steps: `build` starts what `plan` accepts, refuses what it refuses, makes what it promises."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bootimg.arch import Arch
from bootimg.builds.folder import open_build
from bootimg.cache import Cache
from bootimg.disk.bootpatch import Patch
from bootimg.disk.layer_deploy import PROGRAMS, DeployWay
from bootimg.disk.native.products.choice import maker_of
from bootimg.disk.native.products.products import Products
from bootimg.disk.native.products.store import keep_products
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.formats import Compressor, Written
from bootimg.jobs import Stop
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.importing.importer import ImportedCommit
from bootimg.layer.tree.merged import open_tree
from bootimg.orchestrator import mainjob as building
from bootimg.orchestrator.artifacts.packaging import Packer
from bootimg.orchestrator.basedisk import BaseDisk
from bootimg.orchestrator.journal import NAME, Journal
from bootimg.orchestrator.plan import Plan, make_plan
from bootimg.orchestrator.recipes.prepare import open_layer
from bootimg.orchestrator.recipes.recipes import make_recipes
from bootimg.orchestrator.request import Builder, Outcome, Request
from bootimg.orchestrator.selection import Selection
from bootimg.orchestrator.steps import all_steps, known_steps, steps_of
from bootimg.orchestrator.targets.registry import MAKERS, Unmade
from bootimg.orchestrator.work import Work
from bootimg.platform import Platform, platform, platforms
from bootimg.targets import LIVE, every_target
from tests.support.layers import oci

X86 = Arch.X86_64
VERSION = oci.LABELS["org.opencontainers.image.version"]
VERSION_LABEL = "org.opencontainers.image.version"
STREAM = oci.LABELS["com.coreos.stream"]
IMGREF = "ostree-unverified-registry:quay.io/example/os:latest"
# Layers by what is wrong with them: labels that are others, and what is in the tree.
LABELS: Mapping[str, Mapping[str, str]] = {
    "no-version": {VERSION_LABEL: ""},
    "bad-version": {VERSION_LABEL: "9.6/1"},
    "bad-id": {VERSION_LABEL: "latest"},
    "bad-name": {"com.coreos.osname": "a b"},
    "other-stream": {"com.coreos.stream": "rhel-9.8"},
    "no-bootable": {"containers.bootc": "0", "ostree.bootable": "0"},
}
TREES: Mapping[str, bytes] = {
    "good": oci.bootable(*map(oci.file, PROGRAMS)),
    "bootupd": oci.bootable(*map(oci.file, PROGRAMS), *oci.with_bootupd()),
    "impure": oci.bootable(*map(oci.file, PROGRAMS), oci.file("usr/bin/oc")),
    "no-kernel": oci.bootable(kernels=()),
    "no-programs": oci.bootable(),
    "bad-compressor": oci.bootable(image_json=b'{"size": 4, "compressor": "zip"}'),
    "bootc": oci.bootable(image_json=b'{"size": 4, "bootc-install-to-fs": true}'),
}
KINDS = (*LABELS, *TREES)

APPLIANCE = "bootimg.orchestrator.basedisks.layerprograms"


class Started(Exception):
    """Every check is passed; the build would be made now."""


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, Arch], Path]:
    """A layer of each kind for each architecture."""
    found = {}
    for kind in KINDS:
        for arch in Arch:
            layout = oci.Layout(tmp_path_factory.mktemp("layer") / "image")
            labels = {**oci.LABELS, **LABELS.get(kind, {})}
            layout.add([TREES.get(kind, TREES["good"])], labels=labels, arch=arch.oci)
            found[kind, arch] = layout.path
    return found


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an osbuild and a podman that only tell their versions."""
    folder = tmp_path_factory.mktemp("bin")
    for name in ("osbuild", "podman"):
        (folder / name).write_text(f"#!/bin/sh\necho {name} 190\n")
        (folder / name).chmod(0o755)
    return folder


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, Request]:
    """A kind of layer and a request for it, whose places are set later."""
    arch = draw(st.sampled_from([X86, X86, X86, X86, X86, *Arch]))
    known = sorted(name for name, each in platforms().items() if arch in each.arches)
    names = draw(st.lists(st.sampled_from(known), max_size=4, unique=True))
    targets = draw(st.sampled_from([(), (), (), (LIVE,)]))
    steps = [*(step.name for step in known_steps()), *names, *names, "bogus"]
    extensions = st.sampled_from([None, None, "quay.io/example/x:${VERSION}", "oci:/not/there", "a b"])
    selection = Selection(
        stream=draw(st.sampled_from([None, None, STREAM, "rhel-10.2"])),
        extensions=draw(extensions),
        targets=targets,
    )
    request = Request(
        reference="",
        arch=arch,
        platforms=tuple(platform(name, arch) for name in names),
        builds=Path(),
        accelerator="tcg",
        builder=draw(st.sampled_from([Builder.OWN, Builder.OWN, Builder.OSBUILD])),
        deploy=draw(st.sampled_from([DeployWay.NATIVE, DeployWay.APPLIANCE, DeployWay.LAYER])),
        stop_after=draw(st.sampled_from([*[None] * 12, *steps])),
        size=draw(st.sampled_from([None, None, 1 << 20, 7 << 30])),
        target_imgref=draw(st.sampled_from([None, IMGREF, IMGREF, "not an imgref"])),
        compress=draw(st.booleans()),
        compressor=draw(st.sampled_from([None, *Compressor])),
        retry_failed=draw(st.sampled_from([False, False, True])),
        force=draw(st.booleans()),
        selection=selection,
    )
    return draw(st.sampled_from(["good", "good", "good", *KINDS])), request


def planned(request: Request, cache: Cache) -> Plan | str:
    try:
        return make_plan(request, cache)
    except BootimgError as error:
        return error.id


def built(request: Request, cache: Cache) -> str | None:
    """None where the build would start, else the id of the error that refuses it."""

    @contextmanager
    def start(*words: object) -> Iterator[None]:
        raise Started
        yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "open_build", start)
        try:
            building.run_build(request, cache, Events())
        except Started:
            return None
        except BootimgError as error:
            return error.id
    # It was to stop before that.
    assert request.stop_after in ("fetch", "layers")
    return None


def layer_blobs(cache: Cache, layer: Path) -> set[str]:
    """The layer's blobs that are in the cache, but for its manifest and config, which are JSON."""
    there = {path.name for path in cache.root.rglob("*") if path.is_file()}
    blobs = [path for path in (layer / "blobs/sha256").iterdir() if not path.read_bytes().startswith(b"{")]
    return there & {path.name for path in blobs}


BLUEFIELD = Request(
    reference="",
    arch=Arch.AARCH64,
    platforms=(platform("nvidiabluefield", Arch.AARCH64), platform("qemu", Arch.AARCH64)),
    builds=Path(),
)


@given(case=requests(), osbuild=st.booleans())
@example(case=("good", BLUEFIELD), osbuild=False)
@example(case=("good", replace(BLUEFIELD, platforms=BLUEFIELD.platforms[1:])), osbuild=False)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_plan_and_build_refuse_the_same_before_a_layer_is_fetched(
    case: tuple[str, Request], osbuild: bool, layers: Mapping[tuple[str, Arch], Path], programs: Path
) -> None:
    kind, request = case
    layer = layers[kind, request.arch]
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        patch.setattr(os, "geteuid", lambda: 0)
        if osbuild:
            patch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        cache = Cache(folder / "cache")
        request = replace(request, reference=str(layer), builds=folder / "builds")
        unread = planned(request, cache)
        assert not any(folder.iterdir())
        found = built(request, cache)
        if isinstance(unread, str):
            assert (found, layer_blobs(cache, layer)) == (unread, set())
        elif found is not None:
            # It was refused for what is in the layer, which had to be read.
            assert layer_blobs(cache, layer)
        assert not request.builds.exists()
        if not isinstance(unread, str):
            if request.stop_after == "fetch":
                return
            again = planned(request, cache)
            assert (again if isinstance(again, str) else None) == found
            if isinstance(again, Plan):
                assert again.exact
                assert [step.name for step in again.steps] == [step.name for step in unread.steps]
                assert [each.key for each in again.artifacts] == [each.key for each in unread.artifacts]


@contextmanager
def making_cheaply(folder: Path) -> Iterator[None]:
    """What takes a virtual machine or minutes is played: the import, the base disk, the formats' writers."""
    disk = folder / "disk.raw"
    with disk.open("wb") as handle:
        handle.truncate(1 << 20)

    def import_layer(*words: object, **more: object) -> ImportedCommit:
        return ImportedCommit("ab" * 32, "ref", {}, 1, 1, 1, 1, 0.0, {})

    def base_disks(work: Work, recipes: Mapping[int, Any], commit: ImportedCommit) -> dict[int, BaseDisk]:
        return {size: BaseDisk(disk, "digest", commit.checksum, way=work.request.deploy) for size in recipes}

    def write(self: Packer, platform: Platform, disk: object, source: object, out: Path) -> Written:
        out.write_bytes(platform.name.encode())
        return Written(out, len(platform.name), "00" * 32)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bootimg.orchestrator.buildsteps.importstep.import_layer", import_layer)
        patch.setattr("bootimg.orchestrator.buildsteps.basestep.base_disks", base_disks)
        patch.setattr("bootimg.orchestrator.artifacts.platformimage.platform_patch", lambda *words: Patch())
        patch.setattr(Packer, "write", write)
        yield


MADE = [name for name, each in platforms().items() if X86 in each.arches and each.buildable]


@given(
    names=st.lists(st.sampled_from(MADE), max_size=5, unique=True),
    stop_after=st.sampled_from([None, None, "archive", "sbom", "base", "last"]),
    compressor=st.sampled_from([None, *Compressor]),
    before=st.lists(st.sampled_from(MADE), max_size=2, unique=True),
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_artifacts_that_are_promised_are_made(
    names: list[str],
    stop_after: str | None,
    compressor: Compressor | None,
    before: list[str],
    layers: Mapping[tuple[str, Arch], Path],
) -> None:
    with tempfile.TemporaryDirectory() as name, making_cheaply(Path(name)):
        folder = Path(name)
        request = Request(
            reference=str(layers["good", X86]),
            arch=X86,
            platforms=tuple(platform(name, X86) for name in before),
            builds=folder / "builds",
            accelerator="tcg",
            compress=compressor is not None,
            compressor=compressor,
        )
        cache = Cache(folder / "cache")
        building.run_build(request, cache, Events())
        stop = names[-1] if names and stop_after == "last" else None if stop_after == "last" else stop_after
        request = replace(request, platforms=tuple(platform(name, X86) for name in names), stop_after=stop)
        plan = make_plan(request, cache)
        outcome = building.run_build(request, cache, Events())
        assert promised(plan) == made(outcome)
        assert {key for key, _, _ in promised(plan)} <= {*meta(outcome)["images"]}
        assert [each.name for each in plan.steps if each.name in outcome.kept] == [*outcome.kept]
        # A second run makes nothing, and the plan says so.
        again = replace(request, stop_after=None)
        building.run_build(again, cache, Events())
        plan = make_plan(again, cache)
        assert {cached for *_, cached in promised(plan)} == {True}
        assert promised(plan) == made(building.run_build(again, cache, Events()))


def promised(plan: Plan) -> list[tuple[str, str, bool]]:
    return [(each.key, each.name, each.cached) for each in plan.artifacts]


def made(outcome: Outcome) -> list[tuple[str, str, bool]]:
    return [(each.key, each.path.name, each.cached) for each in outcome.artifacts]


def meta(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((outcome.path / "meta.json").read_bytes())
    return found


def request_for(folder: Path, layer: Path, **changes: Any) -> Request:  # noqa: ANN401
    found = Request(
        reference=str(layer),
        arch=X86,
        platforms=(platform("qemu", X86), platform("aws", X86)),
        builds=folder / "builds",
        accelerator="tcg",
    )
    return replace(found, **changes)


def test_the_journal_has_the_names_of_the_steps(
    tmp_path: Path, layers: Mapping[tuple[str, Arch], Path]
) -> None:
    request = request_for(tmp_path, layers["good", X86])
    with making_cheaply(tmp_path):
        outcome = building.run_build(request, Cache(tmp_path / "cache"), Events())
    names = {record["step"] for record in Journal(outcome.path / NAME).records()} - {"build"}
    assert names == {*steps_of(request).names} - {"fetch", "layers"}


def test_only_what_failed_is_planned_and_made(
    tmp_path: Path, layers: Mapping[tuple[str, Arch], Path]
) -> None:
    request, cache = request_for(tmp_path, layers["good", X86]), Cache(tmp_path / "cache")
    with open_build(request.builds, VERSION, X86) as build:
        Journal(build.file(NAME)).record("gcp", "failed")
    retry = replace(request, retry_failed=True)
    assert [step.name for step in make_plan(retry, cache).steps][-1] == "gcp"
    with making_cheaply(tmp_path):
        assert [each.key for each in building.run_build(retry, cache, Events()).artifacts] == [
            "ostree",
            "gcp",
        ]
    for verb in (make_plan, lambda asked, cache: building.run_build(asked, cache, Events())):
        with pytest.raises(BootimgError) as error:
            verb(replace(retry, stop_after="aws"), cache)
        assert error.value.id == "step-unknown"


def test_a_build_that_stops_needs_only_what_it_runs(
    tmp_path: Path, layers: Mapping[tuple[str, Arch], Path]
) -> None:
    """A layer of another architecture can be read and archived where its disks cannot be made."""
    arch = Arch.S390X
    request = request_for(tmp_path, layers["good", arch], arch=arch, platforms=(platform("qemu", arch),))
    cache = Cache(tmp_path / "cache")
    for stop_after in ("fetch", "layers", "archive"):
        assert built(replace(request, stop_after=stop_after), cache) is None
        assert not isinstance(planned(replace(request, stop_after=stop_after), cache), str)
    # The layer lacks zipl.
    assert built(request, cache) == "bootloader-missing"
    assert built(replace(request, stop_after="base"), cache) == "bootloader-missing"


def test_a_target_that_fails_where_the_build_was_to_stop_is_told(
    tmp_path: Path, layers: Mapping[tuple[str, Arch], Path]
) -> None:
    def fail(self: Packer, platform: Platform, *words: Any) -> Written:  # noqa: ANN401
        if platform.name == "aws":
            raise BootimgError("artifact-not-written", "no")
        return written(self, platform, *words)

    request = request_for(tmp_path, layers["good", X86], stop_after="aws", jobs=1)
    with making_cheaply(tmp_path), pytest.MonkeyPatch.context() as patch:
        written = Packer.write
        patch.setattr(Packer, "write", fail)
        outcome = building.run_build(request, Cache(tmp_path / "cache"), Events())
    assert ([*outcome.failures], outcome.stopped_after) == (["aws"], "aws")
    assert [each.key for each in outcome.artifacts] == ["ostree", "qemu"]
    assert not (request.builds / "builds.json").exists()


def test_every_target_that_can_be_asked_for_has_a_maker() -> None:
    made = {each.name for each in every_target() if each.on_request and each.obstacle is None}
    assert made == {*MAKERS, *(name for name, each in platforms().items() if each.buildable)}


@pytest.mark.parametrize("obstacle", ["it is too new", None])
def test_a_target_without_a_maker_is_refused_before_and_instead_of_its_making(
    obstacle: str | None, tmp_path: Path
) -> None:
    target, request = Unmade(replace(LIVE, obstacle=obstacle)), request_for(tmp_path, tmp_path)
    work = cast("Any", SimpleNamespace(request=request))
    for refuse in (lambda: target.require(request), lambda: target.make(work, Stop())):
        with pytest.raises(BootimgError) as error:
            refuse()
        assert (error.value.id, error.value.exit_code) == ("platform-not-buildable", ExitCode.USAGE)


def test_no_two_steps_of_a_request_have_one_name(tmp_path: Path) -> None:
    request = request_for(tmp_path, tmp_path, platforms=tuple(platforms().values()))
    names = all_steps(replace(request, selection=Selection(extensions="a", targets=(LIVE,)))).names
    assert len({*names}) == len(names)


def test_room_for_the_blobs_is_asked_for_before_they_are_fetched(
    tmp_path: Path, layers: Mapping[tuple[str, Arch], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    request, cache = request_for(tmp_path, layers["good", X86]), Cache(tmp_path / "cache")
    monkeypatch.setattr("bootimg.atomic.free_space", lambda path: 10)
    assert planned(request, cache) == built(request, cache) == "no-space-left"
    monkeypatch.undo()
    open_tree(fetch(request.reference, arch=X86, cache=cache, events=Events()), cache, Events())
    monkeypatch.setattr("bootimg.atomic.free_space", lambda path: 10)
    assert planned(request, cache) == built(request, cache) == "no-space-left"


@pytest.mark.parametrize(
    ("place", "id", "way"),
    [
        (f"{APPLIANCE}.guestfs_python", "libguestfs-missing", DeployWay.APPLIANCE),
        ("bootimg.layer.ostree.libostree.interpreter", "libostree-missing", DeployWay.NATIVE),
        (f"{APPLIANCE}.require_system", "qemu-missing", DeployWay.APPLIANCE),
        ("bootimg.orchestrator.buildsteps.basestep.process.require", "program-missing", DeployWay.APPLIANCE),
        ("bootimg.orchestrator.buildsteps.basestep.process.require", "program-missing", DeployWay.NATIVE),
    ],
)
def test_what_the_machine_lacks_is_told_before_a_layer_is_fetched(
    place: str, id: str, way: DeployWay, tmp_path: Path, layers: Mapping[tuple[str, Arch], Path]
) -> None:
    def missing(*words: object, **more: object) -> None:
        raise BootimgError(id, "it is not there")

    request, cache = request_for(tmp_path, layers["good", X86], deploy=way), Cache(tmp_path / "cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, missing)
        assert planned(request, cache) == built(request, cache) == id
        assert layer_blobs(cache, layers["good", X86]) == set()
        # The layer can be read without.
        assert built(replace(request, stop_after="layers"), cache) is None
        assert planned(request, cache) == built(request, cache) == id
    with making_cheaply(tmp_path):
        building.run_build(request, cache, Events())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, missing)
        # Where no image is to be made, no disk is.
        lacks_base = planned(request, cache) if "libostree" not in place else None
        assert not isinstance(lacks_base, str)


@pytest.mark.parametrize(
    ("place", "id"),
    [
        (f"{APPLIANCE}.guestfs_python", "libguestfs-missing"),
        (f"{APPLIANCE}.require_system", "qemu-missing"),
    ],
)
def test_what_runs_the_layer_s_bootupd_is_asked_for_when_the_layer_is_read(
    place: str, id: str, tmp_path: Path, layers: Mapping[tuple[str, Arch], Path]
) -> None:
    """Its first build needs the appliance; a build whose bootloader is kept, or without bootupd, does not."""

    def missing(*words: object) -> None:
        raise BootimgError(id, "it is not there")

    request, cache = request_for(tmp_path, layers["bootupd", X86]), Cache(tmp_path / "cache")
    own = request_for(tmp_path / "own", layers["good", X86])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, missing)
        assert isinstance(planned(request, cache), Plan)
        assert built(request, cache) == planned(request, cache) == id
        assert built(own, cache) is None
        layer = open_layer(request, cache, Events())
        recipe = make_recipes(request, layer, Path("layer"), "0" * 64)[512]
        maker = maker_of(recipe, layer.tree, request.arch)
        assert maker is not None
        keep_products(cache, maker.key, Products())
        assert built(request, cache) is None
        assert isinstance(planned(request, cache), Plan)


def test_kvm_that_is_required_and_missing_is_told_at_once(
    tmp_path: Path, layers: Mapping[tuple[str, Arch], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bootimg.vm.probe.KVM", tmp_path / "kvm")
    request = request_for(tmp_path, layers["good", X86], accelerator="kvm")
    cache = Cache(tmp_path / "cache")
    assert planned(request, cache) == built(request, cache) == "kvm-unusable"
    assert layer_blobs(cache, layers["good", X86]) == set()

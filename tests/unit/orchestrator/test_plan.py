"""Plans: what they say of what is there and what is not, and that they change nothing."""

import json
import os
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bootimg.arch import Arch
from bootimg.builds.folder import open_build
from bootimg.cache import Cache
from bootimg.cli.main import bootimg
from bootimg.disk.layer_deploy import DeployWay
from bootimg.disk.native.products.choice import maker_of
from bootimg.disk.native.products.products import Products
from bootimg.disk.native.products.store import keep_products
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.layer.fetching.fetch import fetch, inspect
from bootimg.layer.tree.merged import open_tree
from bootimg.orchestrator import space
from bootimg.orchestrator.basedisk import base_key, find_base, why_no_base
from bootimg.orchestrator.mainjob import run_build
from bootimg.orchestrator.plan import Plan, PlannedStep, make_plan
from bootimg.orchestrator.recipes.prepare import open_layer
from bootimg.orchestrator.recipes.recipes import make_recipes
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.space import Space, require_room
from bootimg.orchestrator.steps import steps_of
from bootimg.orchestrator.summary import duration, summary
from bootimg.orchestrator.survey import Survey
from bootimg.orchestrator.timings import Timings
from bootimg.platform import platform
from tests.support.layers import oci

VERSION = oci.LABELS["org.opencontainers.image.version"]
ARCHIVE = f"rhcos-{VERSION}-ostree.x86_64.ociarchive"
QCOW2 = f"rhcos-{VERSION}-qemu.x86_64.qcow2"
STEPS = ["fetch", "layers", "import", "archive", "sbom", "base", "qemu"]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def layout(tmp_path: Path) -> oci.Layout:
    layout = oci.Layout(tmp_path / "image")
    layout.add([oci.bootable(oci.file("usr/bin/large", os.urandom(1 << 20)))])
    return layout


@pytest.fixture
def request_(layout: oci.Layout, tmp_path: Path) -> Request:
    return request_for(layout, tmp_path)


def request_for(layout: oci.Layout, folder: Path) -> Request:
    return Request(
        reference=str(layout.path),
        arch=Arch.X86_64,
        platforms=(platform("qemu", Arch.X86_64),),
        builds=folder / "builds",
        accelerator="tcg",
    )


def request_of(folder: Path, *more: oci.Member) -> Request:
    """A request for a layer with these files too."""
    layout = oci.Layout(folder / "image")
    layout.add([oci.bootable(*more)])
    return request_for(layout, folder)


@pytest.fixture
def read(request_: Request, cache: Cache) -> Cache:
    """The cache with the layer fetched and decompressed."""
    image = fetch(request_.reference, arch=request_.arch, cache=cache, events=Events())
    open_tree(image, cache, Events())
    return cache


def step(plan: Plan, name: str) -> PlannedStep:
    return next(each for each in plan.steps if each.name == name)


def everything(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def test_inspect_says_what_fetch_says_and_keeps_nothing(
    layout: oci.Layout, cache: Cache, tmp_path: Path
) -> None:
    archive = layout.archive(tmp_path / "image.ociarchive")
    before = everything(tmp_path)
    found = [inspect(str(path), Arch.X86_64) for path in (layout.path, archive)]
    assert everything(tmp_path) == before
    for image, path in zip(found, (layout.path, archive), strict=True):
        assert image == fetch(str(path), arch=Arch.X86_64, cache=cache, events=Events())


def test_inspect_reads_no_layer(layout: oci.Layout, tmp_path: Path) -> None:
    image = inspect(str(layout.path), Arch.X86_64)
    for blob in image.layers:
        (layout.blobs / blob.digest.removeprefix("sha256:")).unlink()
    assert inspect(str(layout.path), Arch.X86_64) == image


@pytest.mark.parametrize(
    ("labels", "id"), [({}, "layer-not-bootable"), ({"ostree.commit": "a"}, "layer-form-unsupported")]
)
def test_inspect_refuses_what_fetch_refuses(labels: dict[str, str], id: str, tmp_path: Path) -> None:
    layout = oci.Layout(tmp_path / "refused")
    layout.add([oci.bootable()], labels=oci.LABELS | labels if labels else {})
    with pytest.raises(BootimgError) as error:
        inspect(str(layout.path), Arch.X86_64)
    assert error.value.id == id


def test_inspect_verifies_the_manifest(layout: oci.Layout) -> None:
    digest = inspect(str(layout.path), Arch.X86_64).digest.removeprefix("sha256:")
    (layout.blobs / digest).write_bytes((layout.blobs / digest).read_bytes() + b" ")
    with pytest.raises(BootimgError) as error:
        inspect(str(layout.path), Arch.X86_64)
    assert error.value.id == "layer-digest-mismatch"


def test_a_plan_of_what_was_never_seen_makes_no_folder(
    request_: Request, cache: Cache, tmp_path: Path
) -> None:
    before = everything(tmp_path)
    plan = make_plan(request_, cache)
    assert everything(tmp_path) == before
    assert [each.name for each in plan.steps] == STEPS
    assert not any(each.cached for each in plan.steps)
    assert not plan.exact
    assert step(plan, "fetch").why.startswith("1 of 1 layers missing")
    assert [(each.name, each.virtual_size) for each in plan.artifacts] == [(ARCHIVE, None), (QCOW2, None)]
    assert plan.unknown == tuple(STEPS)
    assert plan.as_dict()["seconds"] == 0


def test_a_plan_of_a_layer_in_the_cache_is_exact(request_: Request, read: Cache) -> None:
    before = everything(read.root.parent)
    plan = make_plan(request_, read)
    # Reading takes the lock of each tar, and nothing else.
    after = everything(read.root.parent)
    assert {path for path in after if path not in before or after[path] != before[path]} <= {
        str(path) for path in (read.root / "locks").rglob("*")
    }
    assert plan.exact
    # This layer has no packages to describe.
    assert [each.name for each in plan.steps if each.cached] == ["fetch", "layers", "sbom"]
    assert step(plan, "sbom").why == "the layer has no package database that can be read"
    assert step(plan, "import").why == "not imported yet"
    assert step(plan, "base").why.startswith("no base disk is kept; natively")
    assert plan.artifacts[1].virtual_size == 4 << 30
    assert plan.accelerator == "tcg"


def test_the_size_asked_for_is_planned(request_: Request, read: Cache) -> None:
    assert make_plan(replace(request_, size=7 << 30), read).artifacts[1].virtual_size == 7 << 30


@pytest.mark.parametrize(("size", "planned"), [
    (None, [4 << 30, 4 << 30]),
    (9 << 29, [9 << 29, 5 << 30]),
    (5 << 30, [5 << 30, 5 << 30]),
    ((5 << 30) + 1, [(5 << 30) + (1 << 20), 6 << 30]),
])  # fmt: skip
def test_google_s_disks_have_whole_gib(
    request_: Request, read: Cache, size: int | None, planned: list[int]
) -> None:
    wanted = tuple(platform(name, Arch.X86_64) for name in ("qemu", "gcp"))
    plan = make_plan(replace(request_, size=size, platforms=wanted), read)
    assert [each.virtual_size for each in plan.artifacts[1:]] == planned


def test_a_missing_kernel_is_refused_as_build_refuses_it(
    request_: Request, cache: Cache, tmp_path: Path
) -> None:
    layout = oci.Layout(tmp_path / "kernelless")
    layout.add([oci.bootable(kernels=())])
    request = replace(request_, reference=str(layout.path))
    image = fetch(request.reference, arch=request.arch, cache=cache, events=Events())
    open_tree(image, cache, Events())
    with pytest.raises(BootimgError) as error:
        make_plan(request, cache)
    assert error.value.id == "kernel-missing"


def test_an_artifact_that_is_there_needs_no_base_disk(request_: Request, read: Cache) -> None:
    put(request_, QCOW2, b"disk", size=4)
    plan = make_plan(request_, read)
    assert step(plan, "qemu").cached
    assert step(plan, "base") == PlannedStep("base", True, "no image needs it", 0.0)
    assert [each.cached for each in plan.artifacts] == [False, True]


def test_an_artifact_of_another_size_is_made_again(request_: Request, read: Cache) -> None:
    put(request_, QCOW2, b"disk", size=5)
    assert step(make_plan(request_, read), "qemu").why == "its file is missing or has another size"


def test_force_makes_again(request_: Request, read: Cache) -> None:
    put(request_, QCOW2, b"disk", size=4)
    plan = make_plan(replace(request_, force=True), read)
    assert step(plan, "qemu").why == "--force"
    assert not step(plan, "base").cached


def put(request: Request, name: str, data: bytes, *, size: int) -> None:
    with open_build(request.builds, VERSION, request.arch) as build:
        build.file(name).write_bytes(data)
        build.meta.merge({"images": {"qemu": {"path": name, "sha256": "0" * 64, "size": size}}})


def test_times_are_those_of_the_last_build(request_: Request, read: Cache) -> None:
    others = {"fetch": 50.0, "import": 20.0, "archive": 1.0, "qemu": 4.0}
    Timings(read, "tcg").remember({**others, "base-native": 80.0})
    Timings(read, "kvm").remember({"base-native": 5.0})
    plan = make_plan(request_, read)
    # What is in the cache takes no time.
    assert (plan.seconds, plan.unknown) == (105.0, ())
    assert duration(plan) == "about 2 min"


@pytest.mark.parametrize("way", [DeployWay.APPLIANCE, DeployWay.LAYER, DeployWay.NATIVE])
@pytest.mark.parametrize(("bootupd", "native"), [(False, 5.0), (True, 40.0)])
def test_each_way_to_the_base_disk_has_its_own_time(
    bootupd: bool, native: float, way: DeployWay, tmp_path: Path, cache: Cache
) -> None:
    """Natively, the appliance runs the layer's bootupd before."""
    request = request_of(tmp_path / "other", *(oci.with_bootupd() if bootupd else []))
    open_tree(fetch(request.reference, arch=request.arch, cache=cache, events=Events()), cache, Events())
    times = {
        "base-native-with-bootloader": 40.0,
        "base-native": 5.0,
        "base-appliance": 90.0,
        "base-layer": 200.0,
    }
    Timings(cache, "tcg").remember(times)
    wanted = {DeployWay.APPLIANCE: 90.0, DeployWay.LAYER: 200.0, DeployWay.NATIVE: native}
    survey = Survey(replace(request, deploy=way), inspect(request.reference, request.arch), None, cache)
    base = next(each for each in steps_of(survey.request).making if each.name == "base")
    # The layer is not read: what it needs beside the way asked for is not known.
    assert survey.seconds("base", base.way(survey)) == (5.0 if way is DeployWay.NATIVE else wanted[way])
    if way is not DeployWay.LAYER:
        assert step(make_plan(survey.request, cache), "base").seconds == wanted[way]


def test_what_never_ran_is_said(request_: Request, read: Cache) -> None:
    Timings(read, "tcg").remember({"import": 20.0, "archive": 1.0, "base-native": 70.0})
    plan = make_plan(request_, read)
    assert duration(plan) == "more than 91 s (first run of qemu)"
    assert summary(plan).startswith("2 artifacts, more than 91 s (first run of qemu), ")


def test_what_is_kept_counts_for_less_space(request_: Request, cache: Cache, read: Cache) -> None:
    empty = {each.purpose: each.need for each in make_plan(request_, Cache(cache.root / "none")).spaces}
    filled = {each.purpose: each.need for each in make_plan(request_, read).spaces}
    assert 0 < filled["cache"] < empty["cache"]
    put(request_, QCOW2, b"disk", size=4)
    made = {each.purpose: each.need for each in make_plan(request_, read).spaces}
    assert made["cache"] < filled["cache"]
    # Only the archive is left to be written.
    assert made["builds"] == inspect(request_.reference, request_.arch).size


def test_a_disk_that_waits_for_its_size_to_be_known_is_there_twice(request_: Request, read: Cache) -> None:
    needs = {}
    for name in ("openstack", "vmware", "kubevirt"):
        plan = make_plan(replace(request_, platforms=(platform(name, Arch.X86_64),)), read)
        needs[name] = next(each.need for each in plan.spaces if each.purpose == "builds")
    archive = inspect(request_.reference, request_.arch).size
    assert needs["vmware"] == needs["kubevirt"] == 2 * (needs["openstack"] - archive) + archive


def test_a_file_system_must_hold_all_that_goes_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(1000, 0, 1000))
    both = [Space("cache", tmp_path / "not/there", 600), Space("builds", tmp_path, 600)]
    with pytest.raises(BootimgError) as error:
        require_room(both)
    assert error.value.id == "no-space-left"
    require_room(both[:1])
    monkeypatch.setattr(Space, "device", property(lambda self: id(self)))
    require_room(both)


def test_nothing_to_write_needs_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "require_space", lambda path, need: pytest.fail("asked for"))
    require_room([Space("cache", tmp_path, 0)])


def test_build_refuses_before_it_starts(
    request_: Request, read: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(1000, 0, 1000))
    with pytest.raises(BootimgError) as error:
        run_build(request_, read, Events())
    assert error.value.id == "no-space-left"
    assert not request_.builds.exists()
    assert not (read.root / "repo").exists()


def test_build_refuses_before_it_fetches(
    request_: Request, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(1000, 0, 1000))
    with pytest.raises(BootimgError) as error:
        run_build(request_, cache, Events())
    assert error.value.id == "no-space-left"
    names = {path.name for path in (cache.root / "blobs/sha256").iterdir()}
    image = inspect(request_.reference, request_.arch)
    assert not names & {blob.digest.removeprefix("sha256:") for blob in image.layers}


def test_why_there_is_no_base_disk(request_: Request, read: Cache) -> None:
    from bootimg.orchestrator.basedisk import _key_inputs, _parts

    layer = open_layer(request_, read, Events())
    recipe = make_recipes(request_, layer, Path("layer.ociarchive"), "0" * 64)[512]
    tools = layer.tree.digest
    had = replace(recipe, disk=replace(recipe.disk, size=1 << 40))
    for name, other in (("one", "another layer"), ("two", layer.image.digest)):
        folder = read.folder("bases") / name
        folder.mkdir()
        parts = _parts(_key_inputs(had, other, tools, DeployWay.NATIVE))
        (folder / "inputs.json").write_text(json.dumps(parts))
    inputs = (recipe, layer.image.digest, tools, DeployWay.NATIVE)
    key = base_key(*inputs)
    assert why_no_base(read, key, *inputs) == "its key changed: other recipe.disk"
    assert why_no_base(read, "two", *inputs).startswith("the kept base disk was")
    assert find_base(read, key) is None
    # Who deploys decides what the disk holds.
    assert base_key(recipe, layer.image.digest, tools, DeployWay.LAYER) != key


def test_the_native_way_is_planned_or_the_reason_why_not(
    request_: Request, tmp_path: Path, cache: Cache
) -> None:
    for number, (files, expected) in enumerate(
        [([], "; natively"), (oci.with_bootupd(), "natively, the appliance makes the bootloader first")]
    ):
        native = replace(request_of(tmp_path / str(number), *files), deploy=DeployWay.NATIVE)
        image = fetch(native.reference, arch=native.arch, cache=cache, events=Events())
        tree = open_tree(image, cache, Events())
        first = make_plan(native, cache)
        assert step(first, "base").why.endswith(expected)
        recipes = make_recipes(native, open_layer(native, cache, Events()), Path("layer"), "0" * 64)
        maker = maker_of(recipes[512], tree, Arch.X86_64)
        assert (maker is not None) == bool(files)
        if maker is not None:
            keep_products(cache, maker.key, Products())
        later = make_plan(native, cache)
        assert step(later, "base").why.endswith("; natively")
        appliance = make_plan(replace(native, deploy=DeployWay.APPLIANCE), cache)
        assert step(appliance, "base").why.endswith("by the appliance: --deploy appliance")
        needs = [each.need for plan in (later, first, appliance) for each in plan.spaces[:1]]
        assert needs[0] < needs[2] == needs[1 if files else 2]


def test_a_layer_without_its_bootloader_is_refused_before_it_is_imported(
    request_: Request, tmp_path: Path, cache: Cache
) -> None:
    layout = oci.Layout(tmp_path / "without")
    layout.add([oci.bootable(bootloader=False)])
    bare = replace(request_, reference=str(layout.path))
    image = fetch(bare.reference, arch=bare.arch, cache=cache, events=Events())
    open_tree(image, cache, Events())
    for refused in (lambda: make_plan(bare, cache), lambda: run_build(bare, cache, Events())):
        with pytest.raises(BootimgError) as error:
            refused()
        assert error.value.id == "bootloader-missing"
    assert not (cache.root / "repo").exists()


def run(*words: str) -> str:
    done = CliRunner().invoke(bootimg, ["plan", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_verb_prints_a_document(request_: Request, cache: Cache) -> None:
    words = (request_.reference, "--arch", "x86_64", "-o", str(request_.builds), "--cache", str(cache.root))
    document = json.loads(run(*words, "--accel", "tcg", "--json"))
    assert document["layer"]["version"] == VERSION
    assert document["accelerator"] == {"name": "tcg", "reason": "asked for"}
    assert [each["step"] for each in document["steps"]] == STEPS
    assert [each["name"] for each in document["artifacts"]] == [ARCHIVE, QCOW2]
    assert {each["for"]: each["path"] for each in document["space"]} == {
        "cache": str(cache.root),
        "builds": str(request_.builds),
    }
    assert not cache.root.exists()


def test_the_verb_prints_text(request_: Request, cache: Cache) -> None:
    words = (request_.reference, "--arch", "x86_64", "-o", str(request_.builds), "--cache", str(cache.root))
    lines = run(*words, "--accel", "tcg").splitlines()
    digest = inspect(request_.reference, request_.arch).digest
    assert digest[:19] in lines[0]
    assert VERSION in lines[0]
    assert lines[1].startswith("plan   2 artifacts, time unknown (first run of fetch, ")
    assert any(line.startswith("·  import ") for line in lines)
    disks = [line for line in lines if "rhcos-" in line and line.startswith(("→", " "))]
    assert [line.split()[:2] for line in disks] == [["FILE", "DISK"], ["→", ARCHIVE], ["→", QCOW2]][1:]
    assert lines[-1].startswith("the layer is not in the cache")

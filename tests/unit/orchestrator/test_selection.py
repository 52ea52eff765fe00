"""What `build` and `plan` make of a layer because of its stream, or because disk images are skipped."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from bootimg.arch import Arch
from bootimg.builds.find import find_build
from bootimg.builds.folder import BuildDir, open_build
from bootimg.builds.record import Record, change_record, read_record
from bootimg.cache import Cache
from bootimg.checks.purity import Purity
from bootimg.checks.system import system_of_image
from bootimg.cli.main import bootimg
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Event, Events, Message
from bootimg.formats import Compressor
from bootimg.jobs import Stop
from bootimg.layer.fetching.fetch import fetch, inspect
from bootimg.layer.ostree import libostree
from bootimg.layer.tree.merged import open_tree
from bootimg.live.programs.known import Installed
from bootimg.live.template import PATH as TEMPLATE
from bootimg.orchestrator.journal import NAME, RUN, Journal
from bootimg.orchestrator.leftout import leave_out
from bootimg.orchestrator.progress import BuildProgress
from bootimg.orchestrator.rebuild import rebuild_request
from bootimg.orchestrator.recipes.prepare import open_layer
from bootimg.orchestrator.recording import record_selection
from bootimg.orchestrator.request import Artifact, Builder, Request
from bootimg.orchestrator.selection import Requested, Selection, named, select
from bootimg.orchestrator.steps import steps_of
from bootimg.orchestrator.targets.extensions import Extensions
from bootimg.orchestrator.work import Work
from bootimg.platform import platform, platforms
from bootimg.streams.pipeline.config import StreamConfig, read_stream_config, read_streams_file
from bootimg.targets import LIVE, SECEX
from tests.support.arches import openfirmware
from tests.support.layers import oci
from tests.support.live.s390xiso import layer_files
from tests.unit.builds.test_meta import DATA
from tests.unit.orchestrator.test_live_target import COMPLETE
from tests.unit.orchestrator.test_platform_images import existing
from tests.unit.orchestrator.test_variables import layer
from tests.unit.streams.test_pipeline_file import FCOS, GOLDEN, RHCOS

X86 = Arch.X86_64
SKIP = "BOOTIMG_SKIP_DISK_IMAGES"
NO_TEMPLATE = f"there is no directory /{TEMPLATE}"
VERSIONS = {
    "rhel-9.6": "9.6.20250513-0", "rhel-10.2": "10.2.20260423-0", "c9s": "9.0.20250411-0",
    "4.19-9.6": "419.96.202501010101-0", "stable": "44.20260419.3.1", "testing-devel": "44.20260419.20.0",
    "rawhide": "45.20260419.91.0",
}  # fmt: skip
EVERY = [
    (path, name, arch)
    for path, names in ((RHCOS, ["rhel-9.6", "rhel-10.2", "c9s", "4.19-9.6"]),
                        (FCOS, ["stable", "testing-devel", "rawhide"]))
    for name in names
    for arch in read_stream_config(read_streams_file(path), name).arches
]  # fmt: skip
PLANS = GOLDEN / "plans.json"
SCHEMA = DATA / "meta-v1.schema.json"


@pytest.fixture(autouse=True)
def no_words_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STREAM", "STREAMS", "SKIP_DISK_IMAGES", "EXTENSIONS", "PLATFORM", "COMPRESSOR"):
        monkeypatch.delenv(f"BOOTIMG_{name}", raising=False)


def config(name: str, path: Path = RHCOS) -> StreamConfig:
    return read_stream_config(read_streams_file(path), name)


def layout(
    folder: Path,
    stream: str,
    arch: Arch = X86,
    labels: Mapping[str, str] | None = None,
    *,
    live: bool = True,
) -> oci.Layout:
    """A layer of that stream, with or without what live media take."""
    found = oci.Layout(folder / "image")
    name = "fedora-coreos" if stream in ("stable", "testing-devel", "rawhide") else "rhcos"
    own = {"org.opencontainers.image.version": VERSIONS[stream], "com.coreos.stream": stream}
    labels = {**oci.LABELS, "com.coreos.osname": name, **own, **(labels or {})}
    image_json = b'{"size": 10, "compressor": "xz"}' if name == "fedora-coreos" else b'{"size": 16}'
    complete = [oci.file(path, data) for path, data in COMPLETE.items()] if live else []
    if live and arch is Arch.PPC64LE:
        complete += openfirmware.files()
    if live and arch is Arch.S390X:
        complete += [oci.file(path, data) for path, data in layer_files().items()]
    found.add([oci.bootable(*complete, image_json=image_json)], labels=labels, arch=arch.oci)
    return found


def run(folder: Path, *words: object) -> Result:
    places = ["--cache", folder / "cache", "-o", folder / "builds", "--accel", "tcg"]
    return CliRunner().invoke(bootimg, [*map(str, [*words, *places])], catch_exceptions=False)


def refused(folder: Path, *words: object) -> BootimgError:
    with pytest.raises(BootimgError) as error:
        run(folder, *words)
    assert error.value.exit_code is ExitCode.USAGE
    return error.value


def of_stream(name: str, path: Path = RHCOS, arch: Arch = X86) -> list[object]:
    return ["--stream", name, "--streams", path, "--arch", arch]


def plan(folder: Path, path: Path, name: str, arch: Arch) -> dict[str, Any]:
    """The plan of a stream's build whose layer is in the cache: names are exact then."""
    image, cache = layout(folder, name, arch).path, Cache(folder / "cache")
    open_tree(fetch(str(image), arch=arch, cache=cache, events=Events()), cache, Events())
    done = run(folder, "plan", image, *of_stream(name, path, arch), "--json")
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["exact"]
    return document


def shown(document: dict[str, Any]) -> dict[str, Any]:
    """What of a plan must stay as it is."""
    return {
        "artifacts": {each["key"]: each["name"] for each in document["artifacts"]},
        "left-out": document["left-out"],
        "skip-disk-images": document["skip-disk-images"],
    }


@pytest.fixture
def every_arch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans are made for architectures whose disks cannot be built here."""
    monkeypatch.setattr(
        "bootimg.orchestrator.buildsteps.basestep.refuse_other_arches", lambda arch, builder: None
    )
    monkeypatch.setattr("bootimg.orchestrator.buildsteps.basestep.refuse_foreign_layer", lambda *layer: None)
    monkeypatch.setattr("bootimg.orchestrator.buildsteps.basestep.require_bootloaders", lambda *layer: None)
    monkeypatch.setattr(
        "bootimg.orchestrator.targets.liveprogram.require_here",
        lambda maker: Installed(Path(maker.name), maker.minimum),
    )


@pytest.mark.usefixtures("every_arch")
@pytest.mark.parametrize(("path", "name", "arch"), EVERY, ids=[f"{name}-{arch}" for _, name, arch in EVERY])
def test_the_plan_of_every_stream_and_architecture_is_this_one(
    path: Path, name: str, arch: Arch, tmp_path: Path
) -> None:
    assert shown(plan(tmp_path, path, name, arch)) == json.loads(PLANS.read_text())[name][arch]


@pytest.mark.usefixtures("every_arch")
@pytest.mark.parametrize("arch", Arch)
def test_a_stream_of_openshift_alone_has_exactly_its_artifacts(arch: Arch, tmp_path: Path) -> None:
    document = plan(tmp_path, RHCOS, "4.19-9.6", arch)
    keys = [each["key"] for each in document["artifacts"]]
    assert keys == ["ostree", "extensions-container", "qemu"]
    assert document["skip-disk-images"] == config("4.19-9.6").skip_disk_images
    steps = [each["step"] for each in document["steps"]]
    assert steps == ["fetch", "layers", "import", "archive", "sbom", "extensions", "base", "qemu"]


NAMES = st.lists(st.sampled_from([*platforms(), "live", "extensions-container"]), max_size=6, unique=True)


@given(NAMES, st.sampled_from([*Arch]), st.booleans())
def test_skipping_overrides_every_list(names: list[str], arch: Arch, named: bool) -> None:
    stream = replace(config("rhel-9.6"), artifacts=dict.fromkeys(Arch, tuple(names)))
    stream = replace(stream, extensions="a:b" if named else None, skip_disk_images="because")
    made, selection = select(Requested(), stream, arch)
    assert [each.name for each in made] == ["qemu"]
    assert selection.expected == ("ostree", "qemu", *(["extensions-container"] if named else []))
    assert (selection.skip_reason, selection.left_out) == ("because", {})


@given(NAMES)
def test_nothing_of_a_stream_is_lost_without_a_word(names: list[str]) -> None:
    names = [name for name in names if name not in platforms() or X86 in platforms()[name].arches]
    stream = replace(config("rhel-9.6"), artifacts={X86: ("qemu", *names)})
    made, selection = select(Requested(), stream, X86)
    found = {each.name for each in made} | {each.name for each in selection.targets}
    assert found | {*selection.left_out} == {"qemu", *names}
    assert not found & {*selection.left_out}


def test_what_cannot_be_made_yet_is_left_out_with_its_reason() -> None:
    made, selection = select(Requested(), config("rhel-9.6"), Arch.S390X)
    assert [each.name for each in made] == ["qemu", "metal", "metal4k", "openstack", "ibmcloud", "kubevirt"]
    assert not selection.left_out
    # Whether these can be made depends on the layer and the request.
    assert [each.name for each in selection.targets] == list(selection.optional) == ["live", "qemu-secex"]
    stream = replace(
        config("c9s"), artifacts={Arch.AARCH64: ("qemu", "nvidiabluefield", "extensions-container")}
    )
    made, selection = select(Requested(), stream, Arch.AARCH64)
    assert [each.name for each in made] == ["qemu"]
    assert "--extensions" in selection.left_out["extensions-container"]
    named = select(Requested(extensions="a:b"), stream, Arch.AARCH64)[1]
    assert (named.extensions, list(named.left_out)) == ("a:b", ["nvidiabluefield"])


@pytest.mark.parametrize(
    ("names", "id"),
    [
        (("qemu", "toaster"), "stream-artifact-unknown"),
        (("qemu", "powervs"), "platform-arch-unsupported"),
        (("hashlist-experimental",), "stream-nothing-to-make"),
        ((), "stream-nothing-to-make"),
    ],
)
def test_what_a_stream_cannot_have_is_refused(names: tuple[str, ...], id: str) -> None:
    with pytest.raises(BootimgError) as error:
        select(Requested(), replace(config("rhel-9.6"), artifacts={X86: names}), X86)
    assert (error.value.id, error.value.exit_code) == (id, ExitCode.USAGE)


def test_platforms_that_are_named_come_before_the_stream_s() -> None:
    aws = platform("aws", X86)
    made, selection = select(Requested(platforms=(aws,)), config("rhel-9.6"), X86)
    assert made == (aws,)
    # What the stream's builds have is still known: the build is not complete with this alone.
    assert {"ostree", "qemu", "metal", "aws"} < {*selection.expected}


def test_an_architecture_that_the_stream_has_not_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, "plan", *of_stream("c9s", arch=Arch.S390X))
    assert error.id == "stream-arch-unsupported"
    assert "x86_64, aarch64" in str(error.hint)


WORDS: Sequence[Sequence[object]] = [
    ["--skip-disk-images"],
    of_stream("4.19-9.6"),
    [*of_stream("4.19-9.6"), "--skip-disk-images"],
]


@pytest.mark.parametrize("verb", ["build", "plan"])
@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("named", ["aws", "qemu,metal", "all"])
def test_naming_a_platform_that_is_skipped_is_an_error_that_names_the_knob(
    verb: str, words: Sequence[object], named: str, tmp_path: Path
) -> None:
    error = refused(tmp_path, verb, tmp_path, *words, "-p", named)
    assert error.id == "disk-images-skipped"
    assert "--skip-disk-images" in str(error.hint)
    assert not (tmp_path / "builds").exists()


def test_the_environment_counts_as_much_as_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = layout(tmp_path, "rhel-9.6").path
    monkeypatch.setenv(SKIP, "1")
    monkeypatch.setenv("BOOTIMG_STREAMS", str(RHCOS))
    monkeypatch.setenv("BOOTIMG_STREAM", "rhel-9.6")
    document = json.loads(run(tmp_path, "plan", image, "--arch", X86, "--json").stdout)
    assert document["skip-disk-images"] == f"{SKIP} is set"
    assert [each["key"] for each in document["artifacts"]] == ["ostree", "qemu"]
    monkeypatch.setenv("BOOTIMG_PLATFORM", "gcp")
    assert refused(tmp_path, "plan", image, "--arch", X86).id == "disk-images-skipped"
    monkeypatch.setenv("BOOTIMG_PLATFORM", "qemu")
    assert run(tmp_path, "plan", image, "--arch", X86).exit_code == 0


def test_the_plan_says_what_is_not_made(tmp_path: Path) -> None:
    image, cache = layout(tmp_path, "rhel-9.6", live=False).path, Cache(tmp_path / "cache")
    open_tree(fetch(str(image), arch=X86, cache=cache, events=Events()), cache, Events())
    lines = run(tmp_path, "plan", image, *of_stream("rhel-9.6")).stdout.splitlines()
    assert f"left out   live: {NO_TEMPLATE}" in lines
    lines = run(tmp_path, "plan", image, "--arch", X86, "--skip-disk-images").stdout.splitlines()
    assert "skipped    all disk images but qemu's: --skip-disk-images" in lines


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """The requests that `bootimg build` makes, none of which is built."""
    requests: list[Request] = []

    def run_build(request: Request, cache: Cache, events: Events) -> object:
        requests.append(request)
        return replace(BuildProgress(request), version="1").outcome()

    monkeypatch.setattr("bootimg.orchestrator.mainjob.run_build", run_build)
    return requests


def test_a_stream_s_layer_is_built_and_its_disks_are_compressed(tmp_path: Path, asked: list[Request]) -> None:
    assert run(tmp_path, "build", *of_stream("c9s")).exit_code == 0
    assert run(tmp_path, "build", "mine", *of_stream("c9s"), "--compressor", "xz").exit_code == 0
    assert run(tmp_path, "build", "mine", "--arch", X86).exit_code == 0
    first, second, plain = asked
    assert (first.reference, first.compress) == ("quay.io/example/stream-coreos:c9s", True)
    assert (first.compressor, second.compressor) == (Compressor.ZSTD, Compressor.XZ)
    assert (second.reference, second.selection.stream) == ("mine", "c9s")
    assert (plain.compress, plain.selection) == (False, Selection())
    assert [each.name for each in plain.platforms] == ["qemu"]


def test_without_image_and_stream_there_is_nothing_to_build(tmp_path: Path) -> None:
    for verb in ("build", "plan"):
        assert run(tmp_path, verb).exit_code == ExitCode.USAGE
        error = refused(tmp_path, verb, *of_stream("stable", FCOS))
        assert error.id == "stream-layer-missing"
        assert "import_oci_image" in str(error.hint)
    assert run(tmp_path, "build", "a", "--from", "b").exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("labels", "id"),
    [
        ({"com.coreos.stream": "rhel-9.8"}, "layer-stream-mismatch"),
        ({"org.opencontainers.image.version": "9.8.20250513-0"}, "layer-version-mismatch"),
    ],
)
def test_a_layer_of_another_stream_is_refused_before_its_layers_are_fetched(
    labels: dict[str, str], id: str, tmp_path: Path
) -> None:
    image = layout(tmp_path, "rhel-9.6", labels=labels).path
    for verb in ("plan", "build"):
        assert refused(tmp_path, verb, image, *of_stream("rhel-9.6")).id == id
    blobs = {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert not blobs & {each.digest.removeprefix("sha256:") for each in inspect(str(image), X86).layers}
    assert not (tmp_path / "builds").exists()


def test_the_build_says_what_it_leaves_out(tmp_path: Path) -> None:
    image = layout(tmp_path, "rhel-9.6", live=False).path
    done = run(tmp_path, "build", image, *of_stream("rhel-9.6"), "--until", "layers", "--json")
    assert f"live is left out: {NO_TEMPLATE}" in done.stderr
    document = json.loads(done.stdout)
    assert (document["stream"], list(document["left-out"])) == ("rhel-9.6", ["live"])


def request(folder: Path, selection: Selection = Selection(), **changes: Any) -> Request:  # noqa: ANN401, B008
    found = Request(
        reference="",
        arch=X86,
        platforms=(platform("qemu", X86),),
        builds=folder / "builds",
        selection=selection,
    )
    return replace(found, **changes)


def recorded(folder: Path, selection: Selection) -> tuple[Record, list[str]]:
    """What the record says after a build with that selection, and what was said meanwhile."""
    seen: list[Event] = []

    def note(event: Event) -> None:
        seen.append(event)

    with open_build(folder / "builds", "1", X86) as build:
        record_selection(request(folder, selection), build, Events([note]))
        return read_record(build.path), [each.text for each in seen if isinstance(each, Message)]


def test_what_all_leaves_out_is_recorded_until_it_is_made(tmp_path: Path) -> None:
    """Also without a stream."""
    record, _ = recorded(tmp_path, Selection(left_out={"live": "the layer has no boot menus"}))
    assert record.left_out == {"live": "the layer has no boot menus"}
    assert recorded(tmp_path, Selection())[0].left_out == record.left_out
    assert recorded(tmp_path, Selection(targets=(LIVE,)))[0].left_out == {}


STREAM = Selection(stream="rhel-9.6", expected=("ostree", "qemu"), left_out={"live": "not yet"})


def test_what_a_build_was_meant_to_be_is_recorded(tmp_path: Path) -> None:
    assert recorded(tmp_path, Selection()) == (Record(), [])
    record = json.loads((tmp_path / "builds/1/x86_64/bootimg.json").read_text())
    assert set(record) == {"asked"}
    assert {"ostree", "oci-manifest"} <= set(record["asked"])
    written = Record(stream="rhel-9.6", expected=("ostree", "qemu"), left_out={"live": "not yet"})
    assert recorded(tmp_path, STREAM) == (written, [])
    # More of the same layer by hand is still a build of that stream.
    assert recorded(tmp_path, Selection()) == (written, [])
    skipping = recorded(tmp_path, replace(STREAM, skip_reason="why"))
    assert skipping == (replace(written, skip_reason="why"), [])
    again, said = recorded(tmp_path, STREAM)
    assert (again, len(said)) == (written, 1)
    assert "(why)" in said[0]


def test_images_from_before_the_knob_was_turned_are_told(tmp_path: Path) -> None:
    entry = {"path": "a", "sha256": "0" * 64}
    with open_build(tmp_path / "builds", "1", X86) as build:
        build.meta.merge({"images": dict.fromkeys(["ostree", "qemu", "aws", "live-iso"], entry)})
    _, said = recorded(tmp_path, Selection(skip_reason="why"))
    assert said == ["images of an earlier run stay in the build: aws, live-iso"]


def test_more_of_a_build_that_skips_disk_images_has_none_either(tmp_path: Path) -> None:
    with open_build(tmp_path / "builds", "1", X86) as build:
        build.file("a").write_bytes(b"layer")
        images = {"ostree": {"path": "a", "sha256": "0" * 64}}
        build.meta.merge({"buildid": "1", "coreos-assembler.basearch": "x86_64", "images": images})
        change_record(build.path, Record(skip_reason="4.19-9.6 is OpenShift's"))
    found = find_build(tmp_path / "builds", "1", X86)
    assert rebuild_request(found, request(tmp_path)).selection.skip_reason == "4.19-9.6 is OpenShift's"
    with pytest.raises(BootimgError) as error:
        rebuild_request(found, request(tmp_path, platforms=(platform("aws", X86),)))
    assert error.value.id == "disk-images-skipped"
    assert "4.19-9.6 is OpenShift's" in error.value.context[0]


def work(folder: Path, build: BuildDir) -> Work:
    asked = request(folder, Selection(extensions="x"))
    opened = layer(folder)
    journal = Journal(build.file(NAME))
    cache, system = Cache(folder / "cache"), system_of_image(opened.image, opened.tree, folder)
    return Work(asked, opened, build, journal, cache, Events(), BuildProgress(asked), system)


def archive_extensions(todo: Work, reference: str) -> Artifact:
    """What the step makes or finds."""
    target = Extensions(reference)
    kept = target.existing(todo)
    (found,) = target.make(todo, Stop()) if kept is None else kept
    return found


@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")
def test_the_extensions_container_is_copied_and_recorded(tmp_path: Path) -> None:
    images = oci.Layout(tmp_path / "extensions")
    made = images.add(
        [oci.tar(oci.file("usr/share/rpm-ostree/extensions.json", b"{}"))], labels={}, tag="v-9.6.1"
    )
    version = "9.6.1"
    with open_build(tmp_path / "builds", version, X86) as build:
        todo, reference = work(tmp_path, build), f"oci:{images.path}:v-${{VERSION}}"
        artifact = archive_extensions(todo, reference)
        name = f"rhcos-{version}-extensions-container.x86_64.ociarchive"
        assert artifact.path == build.file(name)
        data = artifact.path.read_bytes()
        assert build.meta.read()["images"]["extensions-container"] == {
            "path": name,
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
            "skip-compression": True,
        }
        index = json.loads(archived(artifact.path, "index.json"))
        assert [each["digest"] for each in index["manifests"]] == [made["digest"]]
        assert archive_extensions(todo, reference).cached
        forced = replace(todo, request=replace(todo.request, force=True))
        assert not archive_extensions(forced, reference).cached


def has_libostree() -> bool:
    try:
        libostree.interpreter()
    except BootimgError:
        return False
    return True


def archived(path: Path, name: str) -> bytes:
    import tarfile

    with tarfile.open(path) as archive:
        found = archive.extractfile(name)
        assert found is not None
        return found.read()


@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")
@pytest.mark.parametrize(
    ("arch", "tag", "id"), [("s390x", "a", "layer-arch-mismatch"), ("amd64", "b", "layer-not-found")]
)
def test_extensions_that_are_not_there_leave_nothing(arch: str, tag: str, id: str, tmp_path: Path) -> None:
    images = oci.Layout(tmp_path / "extensions")
    images.add([oci.tar(oci.file("a"))], labels={}, tag="a", arch=arch)
    with open_build(tmp_path / "builds", "1", X86) as build:
        with pytest.raises(BootimgError) as error:
            archive_extensions(work(tmp_path, build), f"oci:{images.path}:{tag}")
        assert error.value.id == id
        assert "images" not in build.meta.read()
    assert not list((tmp_path / "builds").rglob("*.ociarchive"))


@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")
def test_a_build_that_skips_disk_images_says_so_from_the_start(tmp_path: Path) -> None:
    if not has_libostree():
        pytest.skip("libostree is not installed")
    image, extensions = layout(tmp_path, "4.19-9.6").path, oci.Layout(tmp_path / "extensions")
    extensions.add([oci.tar(oci.file("a"))], labels={}, tag="a")
    words = [*of_stream("4.19-9.6"), "--extensions", f"oci:{extensions.path}:a"]
    assert run(tmp_path, "build", image, *words, "--until", "extensions").exit_code == 0
    folder = tmp_path / "builds" / VERSIONS["4.19-9.6"] / "x86_64"
    record = json.loads((folder / "bootimg.json").read_text())
    assert record.pop("source")["uri"].startswith("pkg:oci/rhcos@sha256:")
    assert record.pop("provenance")["path"].endswith(".intoto.json")
    assert record == {
        "stream": "4.19-9.6",
        "skip-disk-images": config("4.19-9.6").skip_disk_images,
        "expected": ["ostree", "qemu", "extensions-container"],
        "image-json": {},
    }
    meta = json.loads((folder / "meta.json").read_text())
    assert {*meta["images"]} == {"ostree", "oci-manifest", "extensions-container"}
    if SCHEMA.exists():
        jsonschema.Draft7Validator(json.loads(SCHEMA.read_text())).validate(meta)
    assert refused(tmp_path, "build", "--from", VERSIONS["4.19-9.6"], "--arch", X86, "-p", "aws").id == (
        "disk-images-skipped"
    )


def test_a_build_with_extensions_can_stop_after_them(tmp_path: Path) -> None:
    assert (
        steps_of(request(tmp_path, Selection(extensions="a"), stop_after="extensions")).names[-1]
        == "extensions"
    )
    with pytest.raises(BootimgError) as error:
        steps_of(request(tmp_path, stop_after="extensions"))
    assert error.value.id == "step-unknown"


def test_live_media_are_asked_for_by_name_and_refused_where_they_are_not_made(tmp_path: Path) -> None:
    for verb in ("plan", "build"):
        error = refused(tmp_path, verb, tmp_path, "-p", "live", "--arch", X86, "--builder", "osbuild")
        assert error.id == "platform-not-buildable"
    assert not (tmp_path / "cache/blobs").exists()
    asked = named(["live", "qemu", "live"], X86)
    assert ([each.name for each in asked.platforms or ()], asked.targets) == (["qemu"], (LIVE,))


def test_live_media_are_skipped_as_disk_images_are(tmp_path: Path) -> None:
    error = refused(tmp_path, "plan", tmp_path, "--arch", X86, "--skip-disk-images", "-p", "live")
    assert error.id == "disk-images-skipped"


@pytest.mark.parametrize("arch", Arch)
def test_all_is_what_can_be_made_for_the_architecture(arch: Arch) -> None:
    asked = named(["all"], arch)
    wanted = [name for name, each in platforms().items() if arch in each.arches and each.buildable]
    assert [each.name for each in asked.platforms or ()] == wanted
    assert asked.targets == ((LIVE, SECEX) if arch is Arch.S390X else (LIVE,))


def test_live_media_are_part_of_streams() -> None:
    found, selection = select(Requested(), config("rhel-9.6"), X86)
    assert (selection.targets, selection.optional) == ((LIVE,), ("live",))
    assert {*LIVE.listed_keys} < {*selection.expected}
    assert "live" not in selection.left_out
    assert found


def test_live_media_are_optional_unless_they_are_named() -> None:
    assert named(["all"], X86).optional == ("live",)
    assert named(["all", "live"], X86).optional == ()


def live_of(
    tmp_path: Path, words: Sequence[str], template: bool, builder: Builder = Builder.OWN
) -> Selection:
    """The selection for a small layer with or without boot menus for an ISO."""
    layout = oci.Layout(tmp_path / "image")
    members = [oci.file(f"{TEMPLATE}/isolinux/isolinux.cfg", b"x")] if template else []
    layout.add([oci.bootable(*members, bootloader=False)])
    platforms, selection = select(named(words, X86), None, X86)
    request = Request(
        reference=str(layout.path), arch=X86, platforms=platforms, builds=tmp_path / "builds",
        selection=selection, builder=builder,
    )  # fmt: skip
    opened = open_layer(request, Cache(tmp_path / "cache"), Events())
    return leave_out(leave_out(request), opened).selection


def test_all_leaves_live_media_out_where_the_layer_has_no_boot_menus(tmp_path: Path) -> None:
    """By their name they are refused later."""
    left = live_of(tmp_path / "1", ["all"], template=False)
    assert (left.targets, "coreos-assembler/live" in left.left_out["live"]) == ((), True)
    assert live_of(tmp_path / "2", ["all"], template=True).targets == (LIVE,)
    assert live_of(tmp_path / "3", ["qemu", "live"], template=False).targets == (LIVE,)


def test_all_leaves_live_media_out_where_osbuild_makes_the_images(tmp_path: Path) -> None:
    left = live_of(tmp_path, ["all"], template=True, builder=Builder.OSBUILD)
    assert (left.targets, "osbuild" in left.left_out["live"]) == ((), True)


def test_what_is_left_out_is_not_expected_of_a_stream_s_build(tmp_path: Path) -> None:
    platforms, selection = select(Requested(), config("rhel-9.6"), X86)
    request = Request(
        reference="x", arch=X86, platforms=platforms, builds=tmp_path, selection=selection,
        builder=Builder.OSBUILD,
    )  # fmt: skip
    left = leave_out(request)
    assert not {*LIVE.listed_keys} & {*left.selection.expected}
    assert left.platforms == platforms
    # Nothing is left out where nothing else would be made.
    only = replace(request, platforms=())
    assert leave_out(only) is only


def test_completion_knows_the_streams_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import click

    command = bootimg.get_command(click.Context(bootimg), "build")
    assert command is not None
    option = next(each for each in command.params if each.name == "stream")
    context = click.Context(command)
    context.params["streams"] = RHCOS
    assert [each.value for each in option.shell_complete(context, "rhel")] == ["rhel-9.6", "rhel-10.2"]
    context.params["streams"] = tmp_path / "none"
    assert option.shell_complete(context, "rhel") == []


STREAMS = """streams:
  rhel-9.6: {type: production, artifacts: {x86_64: [qemu]}}
bootimg:
  streams: {rhel-9.6: {layer: localhost/x, purity: {level: warn, allow: [cri-o]}}}
"""


@pytest.mark.parametrize(
    ("words", "purity"),
    [
        ([], Purity.ERROR),
        (["--skip-disk-images"], Purity.WARN),
        (["--skip-disk-images", "--purity", "error"], Purity.ERROR),
        (["--purity", "off"], Purity.OFF),
    ],
)
def test_openshift_s_content_is_expected_where_disk_images_are_skipped(
    words: list[str], purity: Purity, tmp_path: Path, asked: list[Request]
) -> None:
    run(tmp_path, "build", "localhost/x", "--arch", "x86_64", *words)
    assert [each.purity for each in asked] == [purity]


AS_IT_WAS = {"purity": "warn", "allow": ["oc"]}


@pytest.mark.parametrize(
    ("words", "before", "purity", "allow"),
    [
        ([], AS_IT_WAS, Purity.WARN, ("oc",)),
        (["--purity", "error"], AS_IT_WAS, Purity.ERROR, ("oc",)),
        (["--purity", "off"], AS_IT_WAS, Purity.OFF, ("oc",)),
        (["--allow", "crio"], AS_IT_WAS, Purity.WARN, ("crio",)),
        (["--purity", "error", "--allow", "crio"], AS_IT_WAS, Purity.ERROR, ("crio",)),
        ([], {"purity": "error", "allow": []}, Purity.ERROR, ()),
        ([], {}, Purity.ERROR, ()),
        (["--purity", "off", "--allow", "crio"], {}, Purity.OFF, ("crio",)),
        (["--skip-disk-images"], {"purity": "error"}, Purity.ERROR, ()),
        (["--skip-disk-images"], {}, Purity.WARN, ()),
        (["--stream", "rhel-9.6"], {"purity": "error", "allow": ["oc"]}, Purity.ERROR, ("oc",)),
        (["--stream", "rhel-9.6"], {}, Purity.WARN, ("cri-o",)),
        (["--stream", "rhel-9.6", "--allow", "oc"], {"allow": ["x"]}, Purity.WARN, ("oc", "cri-o")),
    ],
)
def test_more_of_a_build_is_made_by_the_rules_it_was_made_by(
    words: list[str],
    before: dict[str, object],
    purity: Purity,
    allow: tuple[str, ...],
    tmp_path: Path,
    asked: list[Request],
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(STREAMS)
    Journal(existing(tmp_path).path / NAME).record(RUN, "begun", **before)
    common = ["--from", "9.6.1", "-o", tmp_path / "builds", "--arch", "x86_64", "--streams", path]
    result = run(tmp_path, "build", *common, *words)
    assert [(each.purity, each.allow) for each in asked] == [(purity, allow)], result.output


def test_the_environment_is_a_word_too(
    tmp_path: Path, asked: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    Journal(existing(tmp_path).path / NAME).record(RUN, "begun", **AS_IT_WAS)
    monkeypatch.setenv("BOOTIMG_PURITY", "error")
    run(tmp_path, "build", "--from", "9.6.1", "-o", tmp_path / "builds", "--arch", "x86_64")
    assert [(each.purity, each.allow) for each in asked] == [(Purity.ERROR, ("oc",))]


@pytest.mark.parametrize(("words", "purity"), [([], Purity.WARN), (["--purity", "error"], Purity.ERROR)])
def test_purity_is_as_the_stream_has_it_unless_told_otherwise(
    words: list[str], purity: Purity, tmp_path: Path, asked: list[Request]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(STREAMS)
    common = ["--stream", "rhel-9.6", "--streams", path, "--arch", "x86_64", "--allow", "/usr/bin/oc"]
    result = run(tmp_path, "build", *common, *words)
    assert [(each.purity, each.allow) for each in asked] == [(purity, ("/usr/bin/oc", "cri-o"))], (
        result.output
    )


def test_a_fault_in_what_no_command_uses_is_told_and_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("clouds: {regions: [a]}\ndefault_artifacts: {all: [qemu]}\nstreams: {rhel-9.6: {}}\n")
    image = layout(tmp_path, "rhel-9.6").path
    done = run(tmp_path, "plan", image, *of_stream("rhel-9.6", path))
    assert done.exit_code == 0
    assert "clouds.regions is not an object but a list; it is not used" in " ".join(done.stderr.split())

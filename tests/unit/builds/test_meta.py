import hashlib
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import jsonschema
import pytest

from bootimg.arch import Arch
from bootimg.builds import locks
from bootimg.builds.companions import Companion, record_companion
from bootimg.builds.find import find_build
from bootimg.builds.folder import open_build
from bootimg.builds.index import insert_build, read_index
from bootimg.builds.layout import artifact_name, oci_manifest_name, ociarchive_name, sbom_name
from bootimg.builds.locks import file_lock
from bootimg.builds.merge import STAMP
from bootimg.builds.meta import LayerIdentity, MetaFile, image_entry, layer_meta, write_json
from bootimg.errors import BootimgError
from bootimg.formats import Written
from bootimg.orchestrator.inspection import inspect_build
from tests.support.builds.lockholders import hold_and_die, hold_build, merge_many

DATA = Path(__file__).parents[4] / "shared" / "data"
BUILD = "9.6.20261101-0"
X86 = Arch.X86_64
COMMIT = "c" * 64
SPAWN = multiprocessing.get_context("spawn")


def identity(**changes: object) -> LayerIdentity:
    fields: dict[str, Any] = {
        "name": "rhcos", "build_id": BUILD, "version": BUILD, "arch": X86, "commit": COMMIT,
        "created": datetime(2026, 11, 1, 12, 30, tzinfo=UTC), "labels": {"com.coreos.osname": "rhcos"},
        "content_checksum": "d" * 64, "image_json": b'{"size": 16}', "inputs": ("sha256:ab",),
    }  # fmt: skip
    return LayerIdentity(**(fields | changes))


def written(path: Path, content: bytes) -> Written:
    path.write_bytes(content)
    return Written(path, len(content), hashlib.sha256(content).hexdigest())


def make_build(builds: Path, build_id: str = BUILD, arch: Arch = X86) -> Path:
    """A whole build with a layer and a qcow2."""
    with open_build(builds, build_id, arch) as build:
        images = {}
        for key, name in (
            ("ostree", ociarchive_name("rhcos", build_id, arch)),
            ("oci-manifest", oci_manifest_name("rhcos", build_id, arch)),
            ("qemu", artifact_name("rhcos", build_id, "qemu", arch, "qcow2")),
        ):
            made = written(build.scratch / key, f"content of {key}".encode())
            path = build.publish(made.path, name)
            entry = image_entry(Written(path, made.size, made.sha256), skip_compression=key != "qemu")
            images[key] = entry
        build.meta.merge(layer_meta(identity(build_id=build_id, version=build_id, arch=arch)))
        build.meta.merge({"images": images})
        build.finish()
        return build.path


def add_sbom(builds: Path, build_id: str = BUILD, content: bytes = b"{}\n") -> Path:
    """The SBOM of such a build."""
    with open_build(builds, build_id, X86) as build:
        name = sbom_name("rhcos", build_id, X86)
        made = written(build.scratch / name, content)
        path = build.publish(made.path, name)
        record_companion(build.path, "sbom", Companion(name, made.sha256, made.size))
    return path


def test_meta_json_is_valid_and_reads_like_coreos_assemblers(tmp_path: Path) -> None:
    schema = DATA / "meta-v1.schema.json"
    if not schema.exists():
        pytest.skip(f"{schema} is not there")
    path = make_build(tmp_path)
    text = (path / "meta.json").read_text()
    meta = json.loads(text)
    jsonschema.Draft7Validator(json.loads(schema.read_text())).validate(meta)
    example = json.loads((DATA / "rhcos-meta.example.json").read_text())
    known = set(example) & set(meta)
    assert {"buildid", "images", "ostree-content-checksum", "coreos-assembler.image-input-checksum"} <= known
    assert {key: type(meta[key]) for key in known} == {key: type(example[key]) for key in known}
    assert text == json.dumps(meta, indent=4) + "\n"
    assert meta["images"]["qemu"] == {
        "path": f"rhcos-{BUILD}-qemu.x86_64.qcow2",
        "sha256": hashlib.sha256(b"content of qemu").hexdigest(),
        "size": 15,
    }
    assert meta["images"]["ostree"]["path"] == f"rhcos-{BUILD}-ostree.x86_64.ociarchive"
    assert meta["images"]["oci-manifest"]["path"] == f"rhcos-{BUILD}-ostree.x86_64-manifest.json"
    assert meta["images"]["ostree"]["skip-compression"] is True
    assert meta["ostree-timestamp"] == "2026-11-01T12:30:00Z"
    assert (path / meta["images"]["qemu"]["path"]).stat().st_mode & 0o222 == 0
    left = {each.name for each in path.iterdir()} - {each["path"] for each in meta["images"].values()}
    assert left == {"meta.json", ".build.lock", ".meta.json.flock"}


def test_the_least_that_a_layer_gives_is_valid_with_an_artifact(tmp_path: Path) -> None:
    schema = DATA / "meta-v1.schema.json"
    if not schema.exists():
        pytest.skip(f"{schema} is not there")
    meta = layer_meta(identity(labels={}, content_checksum=None, image_json=None))
    jsonschema.Draft7Validator(json.loads(schema.read_text())).validate(meta)
    for revision in ("f00", "f00ba" * 8):
        labels = {
            "org.opencontainers.image.source": "https://example.org/x",
            "org.opencontainers.image.revision": revision,
            "org.opencontainers.image.description": "",
        }
        meta = layer_meta(identity(labels=labels))
        jsonschema.Draft7Validator(json.loads(schema.read_text())).validate(meta)


def test_input_checksum_depends_on_every_input() -> None:
    key = "coreos-assembler.image-input-checksum"
    variants: list[dict[str, object]] = [
        {},
        {"commit": "e" * 64},
        {"image_json": b"{}"},
        {"inputs": ("sha256:cd",)},
    ]
    assert len({layer_meta(identity(**changes))[key] for changes in variants}) == 4


def test_names_without_a_suffix() -> None:
    assert artifact_name("rhcos", "1", "live-kernel", X86, "") == "rhcos-1-live-kernel.x86_64"


def test_merging_is_deep_keeps_what_is_there_and_stamps_changes_alone(tmp_path: Path) -> None:
    meta = MetaFile(tmp_path / "meta.json")
    first = meta.merge({"ostree-commit": COMMIT, "images": {"qemu": {"path": "a"}}, "amis": [1]})
    second = meta.merge({"images": {"aws": {"path": "b"}}, "amis": [2]})
    assert second["images"] == {"qemu": {"path": "a"}, "aws": {"path": "b"}}
    assert second["amis"] == [2]
    assert second[STAMP] > first[STAMP] >= 16
    before = meta.path.stat().st_ino
    assert meta.merge({"ostree-commit": COMMIT}) == second
    assert meta.path.stat().st_ino == before


def test_another_commit_under_the_same_id_is_a_conflict(tmp_path: Path) -> None:
    path = make_build(tmp_path)
    before = (path / "meta.json").read_bytes()
    with open_build(tmp_path, BUILD, X86) as build, pytest.raises(BootimgError) as caught:
        build.meta.merge(layer_meta(identity(commit="e" * 64)))
    assert caught.value.id == "build-conflict"
    assert "ostree-commit" in caught.value.message
    assert (path / "meta.json").read_bytes() == before


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"a": 1', "[" * 100_000], ids=["cut", "list", "shorter", "deep"]
)
def test_a_broken_meta_json_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "meta.json").write_text(text)
    with pytest.raises(BootimgError) as caught:
        MetaFile(tmp_path / "meta.json").merge({"a": 2})
    assert caught.value.id == "build-meta-malformed"
    assert (tmp_path / "meta.json").read_text() == text


def test_concurrent_merges_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "meta.json"
    children = [SPAWN.Process(target=merge_many, args=(path, who)) for who in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(300)
        assert child.exitcode == 0
    assert len(json.loads(path.read_text())["images"]) == 30
    assert {each.name for each in tmp_path.iterdir()} == {"meta.json", ".meta.json.flock"}


def flufl_claim(lock: Path, host: str, pid: int, expires: float) -> Path:
    """A lock as flufl.lock leaves it."""
    claim = Path(f"{lock}|{host}|{pid}|12345")
    claim.write_text(str(claim))
    os.utime(claim, (expires, expires))
    os.link(claim, lock)
    return claim


def test_coreos_assemblers_lock_is_respected_until_it_expires(tmp_path: Path) -> None:
    path, lock = tmp_path / "meta.json", tmp_path / ".meta.json.lock"
    claim = flufl_claim(lock, "builder.example.com", 4711, time.time() + 3600)
    with pytest.raises(BootimgError) as caught, file_lock(path, wait=0.2):
        pass
    assert caught.value.id == "build-locked"
    assert "process 4711 on builder.example.com" in caught.value.context[0]
    assert lock.exists()
    os.utime(claim, (1, 1))
    with file_lock(path, wait=0.2):
        assert f"|{os.getpid()}|" in lock.read_text()
        assert lock.stat().st_nlink == 2
    assert {each.name for each in tmp_path.iterdir()} == {".meta.json.flock"}


def test_a_lock_that_goes_away_in_time_is_waited_for(tmp_path: Path) -> None:
    path, lock = tmp_path / "meta.json", tmp_path / ".meta.json.lock"
    claim = flufl_claim(lock, "builder", 1, time.time() + 3600)
    script = f"import os, time; time.sleep(0.5); os.unlink({str(lock)!r}); os.unlink({str(claim)!r})"
    with subprocess.Popen([sys.executable, "-c", script]), file_lock(path, wait=20):
        assert "bootimg@" in lock.read_text()


def test_a_claim_that_a_killed_process_left_goes_with_the_next_lock(tmp_path: Path) -> None:
    here = socket.gethostname()
    for name in (f"bootimg@{here}|4711|1", f"bootimg@{here}x|4711|1", f"{here}|4711|1", "x"):
        (tmp_path / f".meta.json.lock|{name}").touch()
    (tmp_path / f".builds.json.lock|bootimg@{here}|4711|1").touch()
    with file_lock(tmp_path / "meta.json"):
        pass
    left = {each.name for each in tmp_path.iterdir() if "lock|" in each.name}
    assert left == {
        f".meta.json.lock|bootimg@{here}x|4711|1", f".meta.json.lock|{here}|4711|1", ".meta.json.lock|x",
        f".builds.json.lock|bootimg@{here}|4711|1",
    }  # fmt: skip


def test_our_lock_in_a_form_flufl_lock_understands(tmp_path: Path) -> None:
    lock = tmp_path / ".meta.json.lock"
    with file_lock(tmp_path / "meta.json"):
        fields = lock.read_text().split("|")
        assert fields[0] == str(lock)
        assert len(fields) == 4
        assert int(fields[2]) == os.getpid()
        assert Path(lock.read_text()).samefile(lock)
        assert lock.stat().st_mtime > time.time() + 30


def test_a_claim_that_could_not_be_written_is_not_left(tmp_path: Path) -> None:
    script = (
        "import resource, sys; from pathlib import Path; from bootimg.builds.locks import file_lock\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "with file_lock(Path(sys.argv[1])): print('locked')"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "meta.json"], capture_output=True)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"File too large" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [".meta.json.flock"]


def test_what_a_killed_bootimg_left_locked_is_free_again(tmp_path: Path) -> None:
    path = tmp_path / "meta.json"
    child = SPAWN.Process(target=hold_and_die, args=(path,))
    child.start()
    child.join(300)
    assert (tmp_path / ".meta.json.lock").exists()
    MetaFile(path).merge({"a": 1})
    assert {each.name for each in tmp_path.iterdir()} == {"meta.json", ".meta.json.flock"}


def test_a_second_build_of_the_same_id_is_refused_until_the_first_dies(tmp_path: Path) -> None:
    ready = SPAWN.Event()
    child = SPAWN.Process(target=hold_build, args=(tmp_path, BUILD, X86, ready))
    child.start()
    try:
        assert ready.wait(300)
        with pytest.raises(BootimgError) as caught, open_build(tmp_path, BUILD, X86):
            pass
        assert caught.value.id == "build-running"
        assert json.loads(caught.value.context[0])["pid"] == child.pid
        with open_build(tmp_path, BUILD, Arch.AARCH64), open_build(tmp_path, "other", X86):
            pass
    finally:
        child.kill()
        child.join(300)
    with open_build(tmp_path, BUILD, X86) as build:
        assert build.path.is_dir()


def test_a_build_that_is_removed_in_the_moment_it_is_locked_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_build(tmp_path)
    take = locks._try_lock

    def removing(handle: BinaryIO, path: Path) -> bool:
        shutil.rmtree(tmp_path / BUILD)
        return take(handle, path)

    monkeypatch.setattr(locks, "_try_lock", removing)
    with pytest.raises(BootimgError) as caught, open_build(tmp_path, BUILD, X86):
        pass
    assert caught.value.id == "build-running"


def test_scratch_is_empty_at_first_and_gone_at_the_end(tmp_path: Path) -> None:
    with open_build(tmp_path, BUILD, X86) as build:
        folder = build.scratch
        (folder / "left").touch()
        assert (folder / "left").exists()
        assert build.scratch == folder
    assert not folder.exists()
    folder.mkdir()
    (folder / "of a killed build").touch()
    with open_build(tmp_path, BUILD, X86) as build:
        assert list(build.scratch.iterdir()) == []


@pytest.mark.parametrize("build_id", ["", "a/b", "..", ".hidden", "latest"])
def test_ids_that_cannot_be_are_refused(tmp_path: Path, build_id: str) -> None:
    with pytest.raises(BootimgError) as caught, open_build(tmp_path, build_id, X86):
        pass
    assert caught.value.id == "build-id-invalid"
    assert list(tmp_path.iterdir()) == []


def test_has_looks_at_the_file(tmp_path: Path) -> None:
    path = make_build(tmp_path)
    artifact = path / f"rhcos-{BUILD}-qemu.x86_64.qcow2"
    with open_build(tmp_path, BUILD, X86) as build:
        assert build.has("qemu")
        assert not build.has("aws")
        artifact.chmod(0o644)
        artifact.write_bytes(b"CONTENT of qemu")
        assert build.has("qemu")
        artifact.write_bytes(b"short")
        assert not build.has("qemu")
        artifact.unlink()
        assert not build.has("qemu")


def test_publishing_replaces_a_read_only_file(tmp_path: Path) -> None:
    make_build(tmp_path)
    with open_build(tmp_path, BUILD, X86) as build:
        fresh = build.scratch / "fresh"
        fresh.write_text("new")
        final = build.publish(fresh, f"rhcos-{BUILD}-qemu.x86_64.qcow2")
        assert final.read_text() == "new"
        assert not fresh.exists()


def test_builds_json_lists_newest_first_and_each_once(tmp_path: Path) -> None:
    for build_id, arch in (("1", X86), ("2", X86), ("1", Arch.AARCH64), ("1", X86)):
        make_build(tmp_path, build_id, arch)
    index = json.loads((tmp_path / "builds.json").read_text())
    assert index["schema-version"] == "1.0.0"
    assert index["builds"] == [
        {"id": "2", "arches": ["x86_64"]},
        {"id": "1", "arches": ["x86_64", "aarch64"]},
    ]
    datetime.strptime(index["timestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert os.readlink(tmp_path / "latest") == "2"  # noqa: PTH115
    before = (tmp_path / "builds.json").stat().st_ino
    insert_build(tmp_path, "1", X86)
    assert (tmp_path / "builds.json").stat().st_ino == before


def test_what_others_put_into_builds_json_stays(tmp_path: Path) -> None:
    old = {"id": "old", "arches": ["s390x"], "policy-cleanup": {"images": True}}
    tags = [{"name": "prod", "target": "old"}]
    there = {"schema-version": "1.1.0", "builds": [old], "tags": tags, "tombstone-builds": []}
    (tmp_path / "builds.json").write_text(json.dumps(there))
    make_build(tmp_path)
    index = json.loads((tmp_path / "builds.json").read_text())
    assert index["builds"][1] == old
    assert index["tags"] == tags


@pytest.mark.parametrize("text", ['{"schema-version": "2.0.0", "builds": []}', '{"builds": ["3"]}'])
def test_another_kind_of_builds_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "builds.json").write_text(text)
    with pytest.raises(BootimgError) as caught:
        read_index(tmp_path)
    assert caught.value.id == "builds-version-unknown"


def test_builds_are_found_by_id_latest_and_path(tmp_path: Path) -> None:
    path = make_build(tmp_path)
    make_build(tmp_path, "newer")
    old = find_build(tmp_path, BUILD, X86)
    assert (old.id, old.arch, old.path, old.meta["name"]) == (BUILD, X86, path, "rhcos")
    assert find_build(tmp_path, arch=X86).id == "newer"
    for which in (path, path.parent, path / "meta.json", tmp_path / "latest" / ".." / BUILD):
        assert find_build(Path("/nowhere"), str(which), X86).id == BUILD
    assert find_build(Path("/nowhere"), str(tmp_path / "latest"), X86).id == "newer"
    assert old.artifact("qemu").read_bytes() == b"content of qemu"
    with pytest.raises(BootimgError) as caught:
        old.artifact("aws")
    assert caught.value.id == "artifact-missing"


@pytest.mark.parametrize(
    "images",
    [
        [],
        {"qemu": []},
        {"qemu": {"sha256": "0"}},
        {"qemu": {"path": "../x", "sha256": "0"}},
        {"qemu": {"path": "x", "sha256": "0", "size": -1}},
    ],
    ids=range(5),
)
def test_images_of_another_shape_are_refused(images: object, tmp_path: Path) -> None:
    path = make_build(tmp_path)
    write_json(path / "meta.json", {"buildid": BUILD, "images": images})
    build = find_build(tmp_path, BUILD, X86)
    for read in (lambda: build.images, lambda: build.artifact("qemu"), lambda: inspect_build(build)):
        with pytest.raises(BootimgError) as caught:
            read()
        assert caught.value.id == "build-meta-malformed"
        assert caught.value.hint


@pytest.mark.parametrize("build_id", ["../../etc", "x" * 300, "a\0b", "latest", ""])
def test_builds_json_with_an_id_that_is_no_folder_is_refused(build_id: str, tmp_path: Path) -> None:
    write_json(
        tmp_path / "builds.json", {"schema-version": "1.0.0", "builds": [{"id": build_id, "arches": []}]}
    )
    for read in (lambda: find_build(tmp_path), lambda: insert_build(tmp_path, BUILD, X86)):
        with pytest.raises(BootimgError) as caught:
            read()
        assert caught.value.id == "build-meta-malformed"
    assert not (tmp_path / "latest").is_symlink()


def test_an_id_that_no_folder_can_have_is_not_found(tmp_path: Path) -> None:
    for which in ("x" * 300, "x" * 5000, "a/" + "x" * 300):
        with pytest.raises(BootimgError) as caught:
            find_build(tmp_path, which)
        assert caught.value.id == "build-not-found"


def test_the_only_architecture_there_is_is_taken(tmp_path: Path) -> None:
    foreign = next(arch for arch in Arch if arch != Arch.of_machine())
    make_build(tmp_path, arch=foreign)
    assert find_build(tmp_path).arch == foreign
    with pytest.raises(BootimgError) as caught:
        find_build(tmp_path, arch=Arch.of_machine())
    assert caught.value.id == "build-not-found"


@pytest.mark.parametrize("which", ["latest", "9.9", "/nowhere/at/all"])
def test_no_build_is_an_error(tmp_path: Path, which: str) -> None:
    with pytest.raises(BootimgError) as caught:
        find_build(tmp_path, which)
    assert caught.value.id == "build-not-found"

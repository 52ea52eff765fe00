"""A build as it should be breaks no rule; each thing that is wrong with one is found, and named."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bootimg.arch import Arch
from bootimg.builds.find import Build, find_build
from bootimg.builds.folder import open_build
from bootimg.builds.layout import artifact_name, oci_manifest_name, ociarchive_name
from bootimg.builds.made import Made
from bootimg.builds.meta import image_entry, layer_meta
from bootimg.builds.record import Record, change_record
from bootimg.checks.builds.buildfindings import build_findings
from bootimg.checks.purity import Purity
from bootimg.errors import ExitCode
from bootimg.events import Event, Events, StepFinished, StepProgress, StepStarted
from bootimg.formats import Packing
from bootimg.formats.compression.decompress import PlainReader
from bootimg.formats.compression.writer import Compressor, open_output
from bootimg.layer.fetching.fetch import inspect
from tests.support.layers import oci
from tests.unit.builds.test_meta import add_sbom, identity

BUILD = "9.6.20261101-0"
X86 = Arch.X86_64
QEMU = artifact_name("rhcos", BUILD, "qemu", X86, "qcow2")
METAL = artifact_name("rhcos", BUILD, "metal", X86, "raw.gz")
PLAIN = b"metal" * 100_000
Json = dict[str, Any]
Change = Callable[[Json], Any]


def entry(path: Path, data: bytes, **more: object) -> Json:
    path.write_bytes(data)
    return {"path": path.name, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data), **more}


def make(folder: Path) -> Path:
    """A build with a layer, a plain and a compressed image, as bootimg makes it; its folder."""
    layout = oci.Layout(folder / "layout")
    layout.add([oci.bootable()])
    builds = folder / "builds"
    with open_build(builds, BUILD, X86) as build:
        archive = layout.archive(build.file(ociarchive_name("rhcos", BUILD, X86)))
        image = inspect(str(archive), X86)
        packed = gzip.compress(PLAIN, mtime=0)
        images = {
            "ostree": entry(archive, archive.read_bytes(), **{"skip-compression": True}),
            "oci-manifest": entry(build.file(oci_manifest_name("rhcos", BUILD, X86)), image.manifest),
            "qemu": entry(build.file(QEMU), b"qcow2"),
            "metal": entry(build.file(METAL), packed, **uncompressed(PLAIN)),
            "gcp": entry(
                build.file(f"rhcos-{BUILD}-gcp.x86_64.tar.gz"), packed, **{"skip-compression": True}
            ),
        }
        build.meta.merge(layer_meta(identity(labels=oci.LABELS)))
        build.meta.merge({"images": images})
        build.finish()
        return build.path


def uncompressed(data: bytes) -> Json:
    return {"uncompressed-sha256": hashlib.sha256(data).hexdigest(), "uncompressed-size": len(data)}


def changed(path: Path, change: Change) -> None:
    meta = json.loads((path / "meta.json").read_text())
    change(meta)
    (path / "meta.json").write_text(json.dumps(meta))


def broken(path: Path, mode: Purity = Purity.ERROR) -> list[tuple[str, str]]:
    found = build_findings(find_build(path.parent.parent, str(path), X86), Events(), mode)
    return [(each.rule.value, each.where) for each in found]


def test_a_good_build(tmp_path: Path) -> None:
    assert broken(make(tmp_path)) == []


@pytest.mark.parametrize(
    ("change", "rule", "where"),
    [
        (lambda m: m.pop("ostree-commit"), "meta-schema", "meta.json"),
        (lambda m: m.update({"ostree-commit": "abc"}), "meta-schema", "meta.json, ostree-commit"),
        (lambda m: m.update({"ostree-timestamp": "today"}), "meta-schema", "meta.json, ostree-timestamp"),
        (lambda m: m.update({"coreos-assembler.image-genver": True}), "meta-schema",
         "meta.json, coreos-assembler.image-genver"),
        (lambda m: m.update({"mine": 1}), "meta-key", "meta.json"),
        (lambda m: m["images"].pop("ostree"), "meta-schema", "meta.json, images"),
        (lambda m: m["images"].update({"aws": "x"}), "meta-schema", "meta.json, images, aws"),
        (lambda m: m["images"]["qemu"].pop("sha256"), "meta-schema", "meta.json, images, qemu"),
        (lambda m: m["images"]["qemu"].update(sha256="AB"), "meta-schema", "meta.json, images, qemu"),
        (lambda m: m["images"]["qemu"].update(path=f"../x86_64/{QEMU}"), "artifact-path",
         "meta.json, images, qemu"),
        (lambda m: m["images"].update({"aws": m["images"]["qemu"]}), "artifact-path",
         "meta.json, images, aws"),
        (lambda m: m["images"]["qemu"].pop("size"), "size-unset", "meta.json, images, qemu"),
        (lambda m: m["images"]["qemu"].update(size=6), "artifact-size", "artifact qemu"),
        (lambda m: m["images"]["qemu"].update(sha256="0" * 64), "artifact-digest", "artifact qemu"),
        (lambda m: m["images"]["qemu"].update(uncompressed(b"")), "uncompressed-digest", "artifact qemu"),
        (lambda m: m["images"]["metal"].pop("uncompressed-sha256"), "uncompressed-digest", "artifact metal"),
        (lambda m: m["images"]["metal"].update({"uncompressed-sha256": "0" * 64}), "uncompressed-digest",
         "artifact metal"),
        (lambda m: m["images"]["metal"].update({"uncompressed-size": 1}), "uncompressed-digest",
         "artifact metal"),
        (lambda m: m["images"]["gcp"].pop("skip-compression"), "uncompressed-digest", "artifact gcp"),
        (lambda m: m.update({"ostree-version": "9.6.20261101-1"}), "build-id", "meta.json, ostree-version"),
        (lambda m: m["coreos-assembler.oci-imported-labels"].update({"com.coreos.osname": "scos"}),
         "build-labels", "meta.json, coreos-assembler.oci-imported-labels"),
        (lambda m: m["coreos-assembler.oci-imported-labels"].update({"io.openshift.metalayer": "true"}),
         "ocp-label", "meta.json, coreos-assembler.oci-imported-labels, label io.openshift.metalayer"),
    ],
)  # fmt: skip
def test_what_meta_json_says_wrong(tmp_path: Path, change: Change, rule: str, where: str) -> None:
    path = make(tmp_path)
    changed(path, change)
    assert (rule, where) in broken(path)
    # And it is not taken for something else too, but for the version, which labels and archive have as well.
    assert {each for each, _ in broken(path)} <= {rule, "build-labels", "archive-image"}


def test_a_version_that_is_not_that_of_labels_and_archive(tmp_path: Path) -> None:
    path = make(tmp_path)
    changed(path, lambda m: m.update({"ostree-version": "9.6.20261101-1"}))
    assert {rule for rule, _ in broken(path)} == {"build-id", "build-labels", "archive-image"}


def test_folders_are_the_build_s(tmp_path: Path) -> None:
    path = make(tmp_path)
    path.parent.rename(path.parent.parent / "other")
    found = broken(path.parent.parent / "other" / "x86_64")
    assert found == [("build-id", "the folder of the build")]
    (path.parent.parent / "other" / "x86_64").rename(path.parent.parent / "other" / "s390x")
    assert ("build-id", "the folder of the architecture") in broken(path.parent.parent / "other" / "s390x")


def rewritten(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_damaged_artifact_is_found(tmp_path: Path) -> None:
    path = make(tmp_path)
    rewritten(path / QEMU, b"qcow3")
    assert broken(path) == [("artifact-digest", "artifact qemu")]
    rewritten(path / QEMU, b"qcow")
    assert broken(path) == [("artifact-size", "artifact qemu"), ("artifact-digest", "artifact qemu")]
    (path / QEMU).unlink()
    assert broken(path) == [("artifact-gone", "artifact qemu")]


def test_a_damaged_compressed_artifact_is_found_by_both_digests(tmp_path: Path) -> None:
    path = make(tmp_path)
    data = bytearray((path / METAL).read_bytes())
    data[len(data) // 2] ^= 1
    rewritten(path / METAL, bytes(data))
    assert broken(path) == [("uncompressed-digest", "artifact metal"), ("artifact-digest", "artifact metal")]


def test_a_compressed_artifact_that_was_made_damaged(tmp_path: Path) -> None:
    path = make(tmp_path)
    data = (path / METAL).read_bytes()[:-4]
    rewritten(path / METAL, data)
    digest = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    changed(path, lambda m: m["images"]["metal"].update(digest))
    assert broken(path) == [("uncompressed-digest", "artifact metal")]


@pytest.mark.parametrize("kind", [Compressor.XZ, Compressor.ZSTD])
def test_other_compressors(tmp_path: Path, kind: Compressor) -> None:
    path = make(tmp_path)
    name = METAL.replace(".gz", {"xz": ".xz", "zstd": ".zst"}[kind])
    with open_output(path / name, Packing(kind)) as sink:
        sink.write(PLAIN)
        made = sink.finish(path / name)
    changed(path, lambda m: m["images"].update(metal=image_entry(made)))
    assert broken(path) == []
    changed(path, lambda m: m["images"]["metal"].update({"uncompressed-sha256": "0" * 64}))
    assert broken(path) == [("uncompressed-digest", "artifact metal")]


def test_an_sbom_is_the_one_that_is_recorded(tmp_path: Path) -> None:
    path = make(tmp_path)
    file = add_sbom(path.parent.parent, path.parent.name)
    assert broken(path) == []
    rewritten(file, b"[]\n")
    assert broken(path) == [("sbom-digest", "SBOM")]
    file.unlink()
    assert broken(path) == [("sbom-gone", "SBOM")]


@pytest.mark.parametrize("text", ["[]", '{"sbom": []}', '{"sbom": {"path": "a.spdx.json", "sha256": "0"}}'])
def test_a_record_that_is_none(tmp_path: Path, text: str) -> None:
    path = make(tmp_path)
    Path(f"{path / QEMU}.sig").write_bytes(b"signature")
    (path / "bootimg.json").write_text(text)
    # Nor can it be told which files are to be signed.
    assert broken(path) == [("record-unreadable", "bootimg.json")]


def test_a_draft_is_not_for_a_release(tmp_path: Path) -> None:
    """A warning only."""
    path = make(tmp_path)
    how = Made(bootimg="1", deploy="native", target_imgref="r:x", draft=True)
    change_record(path, Record(made={"qemu": how, "live-iso": how}))
    # The build has no ISO.
    assert broken(path) == [("draft", "bootimg.json, made, qemu")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_an_artifact_that_cannot_be_read(tmp_path: Path) -> None:
    path = make(tmp_path)
    (path / QEMU).chmod(0)
    assert broken(path) == [("artifact-gone", "artifact qemu")]


@pytest.mark.parametrize("name", [f"scos-{BUILD}-qemu.x86_64.qcow2", "rhcos-1-qemu.x86_64.qcow2",
                                  f"rhcos-{BUILD}-qemu.aarch64.qcow2"])  # fmt: skip
def test_a_name_of_another_build(tmp_path: Path, name: str) -> None:
    path = make(tmp_path)
    (path / QEMU).rename(path / name)
    changed(path, lambda m: m["images"]["qemu"].update(path=name))
    assert broken(path) == [("artifact-name", "artifact qemu")]


@pytest.mark.parametrize("name", ["", "..", "a/b", "x\0", "x" * 300, "\ud800" * 100])
def test_a_path_that_is_no_name(tmp_path: Path, name: str) -> None:
    path = make(tmp_path)
    changed(path, lambda m: m["images"]["qemu"].update(path=name))
    assert broken(path) == [("artifact-path", "meta.json, images, qemu")]


def test_the_key_of_secure_execution_has_no_architecture(tmp_path: Path) -> None:
    path = make(tmp_path)
    made = entry(path / f"rhcos-{BUILD}-ignition.gpg.pub", b"key")
    changed(path, lambda m: m["images"].update({"ignition-gpg-key": made}))
    assert broken(path) == []


def test_an_archive_of_another_image(tmp_path: Path) -> None:
    path, other = make(tmp_path), oci.Layout(tmp_path / "other")
    other.add([oci.bootable(oci.file("usr/other"))])
    archive = other.archive(tmp_path / "other.tar").read_bytes()
    rewritten(path / ociarchive_name("rhcos", BUILD, X86), archive)
    entry_of = {"sha256": hashlib.sha256(archive).hexdigest(), "size": len(archive)}
    changed(path, lambda m: m["images"]["ostree"].update(entry_of))
    assert broken(path) == [("archive-image", "artifact ostree")]


def test_an_archive_that_is_none(tmp_path: Path) -> None:
    path = make(tmp_path)
    rewritten(path / ociarchive_name("rhcos", BUILD, X86), b"none")
    digest = hashlib.sha256(b"none").hexdigest()
    name = ociarchive_name("rhcos", BUILD, X86)
    changed(path, lambda m: m["images"]["ostree"].update(path=name, sha256=digest, size=4))
    assert broken(path) == [("archive-image", "artifact ostree")]


@pytest.mark.parametrize(
    "index",
    [None, {"schema-version": "1.0.0", "builds": []}, {"schema-version": "9.0.0", "builds": []},
     {"schema-version": "1.0.0", "builds": [{"id": BUILD, "arches": ["s390x"]}]},
     {"schema-version": "1.0.0", "builds": [BUILD, {"id": BUILD, "arches": None}]}],
)  # fmt: skip
def test_a_build_that_is_not_listed(tmp_path: Path, index: Json | None) -> None:
    path = make(tmp_path)
    (path.parent.parent / "builds.json").unlink()
    if index is not None:
        (path.parent.parent / "builds.json").write_text(json.dumps(index))
    assert broken(path) == [("build-unlisted", "builds.json")]


def test_labels_of_the_node_image_as_they_are_wanted(tmp_path: Path) -> None:
    path = make(tmp_path)
    labels = {"io.openshift.metalayer": "true"}
    changed(path, lambda m: m["coreos-assembler.oci-imported-labels"].update(labels))
    build = find_build(path.parent.parent, str(path), X86)

    def levels(mode: Purity, *allow: str) -> list[str]:
        return [each.severity.value for each in build_findings(build, Events(), mode, allow)]

    assert [levels(mode) for mode in Purity] == [[], ["warning"], ["error"]]
    assert levels(Purity.ERROR, "io.openshift.metalayer") == []


def test_reading_is_told_as_it_goes(tmp_path: Path) -> None:
    path = make(tmp_path)
    seen: list[Event] = []
    build_findings(find_build(path.parent.parent, str(path), X86), Events([lambda event: seen.append(event)]))
    started, finished = seen[0], seen[-1]
    assert isinstance(started, StepStarted)
    assert isinstance(finished, StepFinished)
    meta = json.loads((path / "meta.json").read_text())
    assert started.total == sum(each["size"] for each in meta["images"].values())
    done = [each.done for each in seen if isinstance(each, StepProgress)]
    assert done == sorted(done)
    assert done[-1] == started.total


def damaged(folder: Path) -> Build:
    """A build of which three artifacts are damaged, each in its own way."""
    path = make(folder)
    rewritten(path / QEMU, b"q" * 3_000_000)
    rewritten(path / METAL, gzip.compress(PLAIN)[:-20])
    rewritten(path / f"rhcos-{BUILD}-gcp.x86_64.tar.gz", b"g")
    return find_build(path.parent.parent, str(path), X86)


@pytest.mark.parametrize("slow", [QEMU, METAL, f"rhcos-{BUILD}-gcp.x86_64.tar.gz"])
def test_findings_come_in_one_order_whatever_is_read_first(
    slow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = damaged(tmp_path)
    alone = build_findings(build, Events(), jobs=1)
    assert [each.where for each in alone].count("artifact qemu") == 2
    chunks = PlainReader.__iter__

    def held(reader: PlainReader) -> Iterator[bytes]:
        time.sleep(0.2 if reader.path.name == slow else 0)
        return chunks(reader)

    monkeypatch.setattr(PlainReader, "__iter__", held)
    assert build_findings(build, Events(), jobs=8) == alone


def test_artifacts_are_read_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = find_build(make(tmp_path).parent.parent, BUILD, X86)
    meeting, chunks = threading.Barrier(3), PlainReader.__iter__
    read: set[Path] = set()

    def met(reader: PlainReader) -> Iterator[bytes]:
        # The first look at each of three; a rule may look into a file again.
        if reader.path.name not in (oci_manifest_name("rhcos", BUILD, X86), QEMU) and reader.path not in read:
            read.add(reader.path)
            meeting.wait(timeout=60)
        return chunks(reader)

    monkeypatch.setattr(PlainReader, "__iter__", met)
    assert build_findings(build, Events(), jobs=3) == []


def test_an_interrupted_reading_ends_at_once(tmp_path: Path) -> None:
    path = make(tmp_path)
    for name in (QEMU, METAL):
        (path / name).chmod(0o644)
        os.truncate(path / name, 1 << 40)
    words = ["verify", str(path), "-j", "2", "--cache", str(tmp_path / "cache"), "--events", "ndjson"]
    argv = [sys.executable, "-m", "bootimg", *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stderr is not None
        while b"step-progress" not in child.stderr.readline():
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        began = time.monotonic()
        child.communicate(timeout=60)
    assert child.returncode == ExitCode.INTERRUPTED
    assert time.monotonic() - began < 10


LEAF = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
WILD = st.recursive(
    LEAF, lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each), max_leaves=6
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["images", "buildid", "name", "ostree-version", "coreos-assembler.oci-imported-labels"]
        ),
        WILD,
    ),
    st.dictionaries(
        st.sampled_from(["path", "sha256", "size", "skip-compression", "uncompressed-sha256"]), WILD
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_whatever_meta_json_has_findings_come_of_it(tmp_path: Path, meta: Json, image: Json) -> None:
    (tmp_path / "builds" / "b" / "x86_64").mkdir(parents=True, exist_ok=True)
    images = meta.get("images")
    entries = {**(images if isinstance(images, dict) else {}), "qemu": image}
    for each in (meta, {**meta, "images": entries}):
        build = Build("b", X86, tmp_path / "builds" / "b" / "x86_64", each)
        assert all(str(found).isprintable() for found in build_findings(build, Events()))

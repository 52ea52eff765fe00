"""`bootimg builds list|show|prune`."""

from __future__ import annotations

import fcntl
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bootimg.arch import Arch
from bootimg.builds import prune as pruning
from bootimg.builds.expected import expect, expected
from bootimg.builds.find import find_build
from bootimg.builds.folder import open_build
from bootimg.builds.index import read_index
from bootimg.builds.merge import merged
from bootimg.builds.meta import MetaFile, image_entry
from bootimg.builds.names import safe_images
from bootimg.builds.record import Record, change_record, read_record
from bootimg.builds.signing.signatures import SignatureState, check_signatures
from bootimg.builds.state import FileState, build_states
from bootimg.cli.main import bootimg
from bootimg.errors import BootimgError, ExitCode
from tests.support.builds.streams import write_builds
from tests.unit.builds.test_meta import DATA, X86, add_sbom, make_build, written


def run(*words: object, code: int = ExitCode.OK) -> str:
    done = CliRunner().invoke(bootimg, ["builds", *map(str, words)])
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout


def document(*words: object, code: int = ExitCode.OK) -> Any:  # noqa: ANN401
    return json.loads(run(*words, "--json", code=code))


def names(builds: Path) -> list[str]:
    return [entry["id"] for entry in read_index(builds)["builds"]]


def test_a_whole_build_is_complete(tmp_path: Path) -> None:
    make_build(tmp_path, "1")
    (state,) = build_states(tmp_path)
    assert state.complete
    assert [each.state for each in state.arches[0].artifacts] == [FileState.PRESENT] * 3
    assert "complete" in run("list", "-o", tmp_path, "--check")
    shown = run("show", "1", "-o", tmp_path)
    assert "rhcos-1-qemu.x86_64.qcow2" in shown
    assert shown.splitlines()[0].split()[:3] == ["1", "x86_64", "3/3"]


def test_builds_of_other_machines_architectures_alone_are_shown(tmp_path: Path) -> None:
    others = [each for each in Arch if each is not Arch.of_machine()][:2]
    for arch in others:
        make_build(tmp_path, "1", arch)
    assert {row.split()[1] for row in run("show", "1", "-o", tmp_path).splitlines() if row[0] != " "} == {
        each.value for each in others
    }


def test_listed_but_incomplete_is_seen_in_each_of_its_ways(tmp_path: Path) -> None:
    path = make_build(tmp_path, "1")
    qemu = path / "rhcos-1-qemu.x86_64.qcow2"
    expect(path, ["qemu", "metal"])
    found = document("list", "-o", tmp_path, "--check", code=ExitCode.PARTIAL)["builds"][0]
    assert (found["listed"], found["complete"]) == (True, False)
    states = {each["key"]: each["state"] for each in found["arches"][0]["artifacts"]}
    assert states["metal"] == "expected"
    assert states["qemu"] == "present"
    qemu.unlink()
    (path / "rhcos-1-ostree.x86_64.ociarchive").chmod(0o644)
    (path / "rhcos-1-ostree.x86_64.ociarchive").write_bytes(b"cut")
    text = run("show", "-o", tmp_path, "--check", code=ExitCode.PARTIAL)
    assert "incomplete: ostree wrong-size, qemu absent, metal expected" in text
    run("show", "-o", tmp_path)


def test_an_sbom_is_part_of_a_build_that_records_one(tmp_path: Path) -> None:
    path = make_build(tmp_path, "1")
    file = add_sbom(tmp_path, "1", b"document")
    (state,) = build_states(tmp_path)
    assert state.complete
    found = state.arches[0].artifacts[-1]
    assert (found.key, found.path, found.size, found.signed) == ("sbom", file.name, 8, False)
    Path(f"{file}.sig").write_bytes(b"signature")
    assert f"{file.name} signed" in run("show", "1", "-o", tmp_path)
    file.chmod(0o644)
    file.write_bytes(b"doc")
    assert build_states(tmp_path)[0].arches[0].artifacts[-1].state is FileState.SIZE
    file.unlink()
    assert "sbom absent" in run("list", "-o", tmp_path, "--check", code=ExitCode.PARTIAL)
    (path / "bootimg.json").write_text('{"sbom": {"path": "../x.spdx.json"}}')
    assert "path is not the name of an SBOM" in run("list", "-o", tmp_path, "--check", code=ExitCode.PARTIAL)


def test_a_pruned_build_leaves_no_sbom(tmp_path: Path) -> None:
    for number in "12":
        make_build(tmp_path, number)
        add_sbom(tmp_path, number)
    run("prune", "--keep-last", "1", "-o", tmp_path)
    assert [each.parts[-3] for each in tmp_path.rglob("*.spdx.json")] == ["2"]


def test_an_architecture_without_its_folder_is_listed_as_that(tmp_path: Path) -> None:
    make_build(tmp_path, "1")
    index = read_index(tmp_path)
    index["builds"][0]["arches"].append("s390x")
    (tmp_path / "builds.json").write_text(json.dumps(index))
    assert "meta.json does not exist" in run("list", "-o", tmp_path)
    (tmp_path / "1" / "s390x").mkdir()
    (tmp_path / "1" / "s390x" / "meta.json").write_text("{")
    assert "cannot be read" in run("list", "-o", tmp_path, "--check", code=ExitCode.PARTIAL)


def test_a_build_that_is_not_listed_is_shown_last(tmp_path: Path) -> None:
    make_build(tmp_path, "1")
    make_build(tmp_path, "0")
    index = read_index(tmp_path)
    index["builds"] = [each for each in index["builds"] if each["id"] != "0"]
    (tmp_path / "builds.json").write_text(json.dumps(index))
    lines = run("list", "-o", tmp_path).splitlines()
    assert [line.split()[0] for line in lines] == ["1", "0"]
    assert "not in builds.json" in lines[1]
    assert run("list", "-o", tmp_path / "none") == "no builds\n"


def test_what_shall_be_there_grows_and_is_no_part_of_meta_json(tmp_path: Path) -> None:
    path = make_build(tmp_path, "1")
    before = (path / "meta.json").read_bytes()
    expect(path, ["qemu"])
    expect(path, ["aws"])
    change_record(path, Record(stream="rhel-9.6", expected=("metal", "qemu")))
    expect(path, ["qemu"])
    assert expected(path) == ("aws", "metal", "qemu")
    assert read_record(path).stream == "rhel-9.6"
    assert (path / "meta.json").read_bytes() == before
    (path / "bootimg.json").write_text('{"asked": "qemu"}')
    with pytest.raises(BootimgError) as caught:
        expected(path)
    assert caught.value.id == "build-record-malformed"
    assert "asked is not a list" in run("list", "-o", tmp_path)


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "", ".hidden", 7, None, "a/b", "a\nb"])
def test_a_path_that_leads_out_of_the_folder_is_a_problem_not_a_file(tmp_path: Path, path: object) -> None:
    folder = make_build(tmp_path, "1")
    meta = json.loads((folder / "meta.json").read_text())
    meta["images"]["qemu"]["path"] = path
    (folder / "meta.json").write_text(json.dumps(meta))
    (state,) = build_states(tmp_path)
    assert not state.complete
    assert "name that cannot be" in str(state.arches[0].problem)


@pytest.mark.parametrize(
    "entry", ['"x"', '{"id": 1, "arches": []}', '{"id": "a"}', '{"id": "a", "arches": [1]}']
)
def test_a_malformed_index_is_an_error(tmp_path: Path, entry: str) -> None:
    (tmp_path / "builds.json").write_text(f'{{"schema-version": "1.0.0", "builds": [{entry}]}}')
    with pytest.raises(BootimgError) as caught:
        build_states(tmp_path)
    assert caught.value.id == "build-meta-malformed"


def test_an_id_that_leads_out_of_the_tree_is_refused(tmp_path: Path) -> None:
    text = '{"schema-version": "1.0.0", "builds": [{"id": "../x", "arches": ["x86_64"]}]}'
    (tmp_path / "builds.json").write_text(text)
    for words in (["list"], ["prune"]):
        done = CliRunner().invoke(bootimg, ["builds", *words, "-o", str(tmp_path)])
        assert isinstance(done.exception, BootimgError)
        assert done.exception.id == "build-meta-malformed"


def test_a_tree_of_coreos_assemblers_is_read_and_extended(tmp_path: Path) -> None:
    write_builds(tmp_path, files=True)
    (state,) = build_states(tmp_path)
    assert state.complete
    assert {arch.arch for arch in state.arches} == set(Arch)
    assert all(each.signed for arch in state.arches for each in arch.artifacts)
    before = find_build(tmp_path, state.id, X86).meta
    with open_build(tmp_path, state.id, X86) as build:
        made = written(build.scratch / "new", b"nutanix")
        build.publish(made.path, "new.qcow2")
        entry = {**image_entry(made), "path": "new.qcow2"}
        build.meta.merge({"images": {"nutanix": entry}})
        build.finish()
    after = find_build(tmp_path, state.id, X86).meta
    assert after["images"] == {**before["images"], "nutanix": entry}
    assert {key for key in after if before.get(key) != after[key]} == {
        "images",
        "coreos-assembler.meta-stamp",
    }
    assert names(tmp_path) == [state.id]
    assert build_states(tmp_path)[0].complete


def test_ours_with_everything_a_build_may_get_is_accepted_by_the_schema(tmp_path: Path) -> None:
    schema = DATA / "meta-v1.schema.json"
    if not schema.exists():
        pytest.skip(f"{schema} is not there")
    path = make_build(tmp_path, "1")
    expect(path, ["qemu"])
    MetaFile(path / "meta.json").merge(
        {"amis": [{"name": "us-east-1", "hvm": "ami-1", "snapshot": "snap-1"}]}
    )
    meta = json.loads((path / "meta.json").read_text())
    jsonschema.Draft7Validator(json.loads(schema.read_text())).validate(meta)


def test_an_artifact_that_is_made_again_loses_the_old_ones_signature(tmp_path: Path) -> None:
    path = make_build(tmp_path, "1")
    name = "rhcos-1-qemu.x86_64.qcow2"
    (path / f"{name}.sig").write_bytes(b"old")
    with open_build(tmp_path, "1", X86) as build:
        build.publish(written(build.scratch / "x", b"new").path, name)
        assert not (path / f"{name}.sig").exists()
        (path / f"{name}.sig").write_bytes(b"of the new")
        build.replace_image("qemu", {"path": f"{name}.gz", "sha256": "0" * 64})
    assert not (path / name).exists()
    assert not (path / f"{name}.sig").exists()


WORDS = st.sampled_from(
    ("id", "arches", "builds", "tags", "name", "target", "images", "qemu", "path", "sha256", "size", "amis",
     "expected", "asked", "schema-version", "coreos-assembler.meta-stamp", "1", "1.0.0", "x86_64")
)  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(WORDS, json_values, max_size=4)
nearly: dict[str, st.SearchStrategy[Any]] = {
    "images": st.dictionaries(WORDS, objects | json_values, max_size=3),
    "amis": st.lists(objects | json_values, max_size=3),
    "coreos-assembler.meta-stamp": json_values,
    "coreos-assembler.basearch": json_values,
    "coreos-assembler.build-timestamp": json_values,
    "expected": st.lists(json_values, max_size=3),
    "asked": st.lists(json_values, max_size=3),
    "sbom": st.fixed_dictionaries(
        {"path": st.just("a.spdx.json")}, optional={"sha256": json_values, "size": json_values}
    )
    | json_values,
    "tags": st.lists(objects | json_values, max_size=3),
}
documents = st.fixed_dictionaries({}, optional=nearly) | json_values


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(index=documents, meta=documents, record=documents, other=documents)
def test_whatever_is_in_the_files_there_is_an_answer_or_an_error_with_an_id(
    tmp_path: Path, index: object, meta: object, record: object, other: object
) -> None:
    folder = tmp_path / "1" / "x86_64"
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(index, dict):
        index |= {"schema-version": "1.0.0", "builds": [{"id": "1", "arches": ["x86_64"]}]}
    for path, text in (
        (tmp_path / "builds.json", index), (folder / "meta.json", meta), (folder / "bootimg.json", record),
    ):  # fmt: skip
        path.write_text(json.dumps(text))
    for words in (["list"], ["show", "1"]):
        done = CliRunner().invoke(bootimg, ["builds", *words, "-o", str(tmp_path)])
        assert done.exception is None or isinstance(done.exception, BootimgError), done.exception
    with suppress(BootimgError):
        pruning.judge(tmp_path, pruning.Rule(1, 60))
    with suppress(BootimgError):
        build = find_build(tmp_path, "1", X86)
        assert all(each.state is SignatureState.MISSING for each in check_signatures(build))
    if isinstance(meta, dict) and isinstance(other, dict):
        with suppress(BootimgError):
            safe_images(meta, "x")
        with suppress(BootimgError):
            merged(meta, other, "x")


# prune


def aged(builds: Path, build_id: str, day: str) -> None:
    meta = MetaFile(builds / build_id / "x86_64" / "meta.json")
    meta.merge({"coreos-assembler.build-timestamp": f"{day}T00:00:00Z"})


def tree(builds: Path, count: int = 5) -> None:
    """Builds 1 to `count`, of which 1 has a tag."""
    for number in range(1, count + 1):
        make_build(builds, str(number))
    index = read_index(builds)
    index["tags"] = [{"name": "prod", "target": "1"}]
    (builds / "builds.json").write_text(json.dumps(index))


def test_the_newest_and_those_with_a_tag_stay(tmp_path: Path) -> None:
    tree(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    text = run("prune", "--keep-last", 2, "--dry-run", "-o", tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    assert [line.split()[0] for line in text.splitlines() if "would be removed" in line] == ["3", "2"]
    found = document("prune", "--keep-last", 2, "-o", tmp_path)
    assert {each["id"]: each["removed"] for each in found["builds"]} == {
        "5": False, "4": False, "3": True, "2": True, "1": False,
    }  # fmt: skip
    assert names(tmp_path) == ["5", "4", "1"]
    assert {each.name for each in tmp_path.iterdir() if each.is_dir()} == {"5", "4", "1", "latest"}
    assert read_index(tmp_path)["tags"] == [{"name": "prod", "target": "1"}]
    assert find_build(tmp_path, arch=X86).id == "5"
    assert document("prune", "--keep-last", 2, "-o", tmp_path)["builds"][2]["reason"] == "has the tag prod"


def test_age_counts_from_when_it_was_built(tmp_path: Path) -> None:
    tree(tmp_path, 4)
    aged(tmp_path, "2", "2020-01-01")
    for young in "34":
        aged(tmp_path, young, time.strftime("%Y-%m-%d"))
    run("prune", "--keep-last", 1, "--older-than", "30d", "-o", tmp_path)
    assert names(tmp_path) == ["4", "3", "1"]


def test_named_builds_go_unless_they_have_a_tag(tmp_path: Path) -> None:
    tree(tmp_path, 3)
    for name, error in (("1", "build-tagged"), ("9", "build-not-found")):
        done = CliRunner().invoke(bootimg, ["builds", "prune", "3", name, "-o", str(tmp_path)])
        assert isinstance(done.exception, BootimgError)
        assert done.exception.id == error
        assert names(tmp_path) == ["3", "2", "1"]
    run("prune", "3", "-o", tmp_path)
    assert names(tmp_path) == ["2", "1"]
    assert find_build(tmp_path, arch=X86).id == "2"


def test_a_build_at_work_stays(tmp_path: Path) -> None:
    tree(tmp_path, 3)
    other = tmp_path / "2" / "aarch64"
    other.mkdir()
    with (other / ".build.lock").open("a+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        found = document("prune", "--keep-last", 1, "-o", tmp_path)["builds"]
    assert [each["reason"] for each in found if each["id"] == "2"] == ["another process is at work in it"]
    assert names(tmp_path) == ["3", "2", "1"]
    assert (tmp_path / "2" / "x86_64" / "meta.json").exists()


def test_the_last_build_may_go_and_latest_goes_with_it(tmp_path: Path) -> None:
    make_build(tmp_path, "1")
    run("prune", "1", "-o", tmp_path)
    assert names(tmp_path) == []
    assert not (tmp_path / "latest").is_symlink()
    assert run("prune", "-o", tmp_path) == "nothing to remove\n"
    assert run("prune", "-o", tmp_path / "none") == "nothing to remove\n"


def test_a_marked_build_that_is_built_again_is_no_longer_marked(tmp_path: Path) -> None:
    make_build(tmp_path, "2")
    make_build(tmp_path, "1")
    (tmp_path / "1" / ".pruned").touch()
    (tmp_path / "2" / ".pruned").touch()
    make_build(tmp_path, "1")
    assert not (tmp_path / "1" / ".pruned").exists()
    run("prune", "-o", tmp_path)
    assert names(tmp_path) == ["1", "2"]
    assert not (tmp_path / "2" / ".pruned").exists()

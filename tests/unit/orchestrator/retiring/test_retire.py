"""`bootimg retire` over all clouds: what goes, what stays, and what builds.json says then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bootimg.builds.policy import with_cleanup, with_marks, with_tombstones
from bootimg.cli.main import bootimg
from bootimg.errors import BootimgError, ExitCode
from tests.support.builds import streams
from tests.support.builds.oldbuilds import old_meta, write_old_builds
from tests.support.clouds.fakeclouds import FakeClouds, fake_clouds, images_of
from tests.unit.cloud.test_results import ENTRIES

NEW, OLD, OLDEST = "9.6.20261101-0", "9.6.20240601-0", "9.6.20240101-0"
SINGLE = {"gcp", "azure", "kubevirt"}
UPLOADS = {key: each[0] if key in SINGLE else each for key, each in ENTRIES.items()}
POLICY = "rhel-9.6: {cloud-uploads: 1y}"
STREAMLESS = ("--no-stream-file", "--yes")


@pytest.fixture
def clouds() -> Iterator[FakeClouds]:
    with fake_clouds() as found:
        yield found


def run(builds: Path, *words: object, code: int = ExitCode.OK) -> Any:  # noqa: ANN401
    """What it says of each build."""
    argv = ["retire", "-o", builds, "--json", "--cache", builds.parent / "cache", *words]
    done = CliRunner().invoke(bootimg, list(map(str, argv)))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return {each["id"]: each for each in json.loads(done.stdout)["builds"]}


def failing(builds: Path, *words: object) -> BootimgError:
    with pytest.raises(BootimgError) as error:
        run(builds, *words)
    return error.value


def tree(tmp_path: Path, clouds: FakeClouds, **more: Any) -> Path:  # noqa: ANN401
    """Three builds, the two older ones with images in every cloud, for two architectures each."""
    metas = {
        NEW: [old_meta(NEW, created=days_ago(10))],
        OLD: [old_meta(OLD, each, days_ago(500), **_uploads(OLD, each)) for each in ("x86_64", "aarch64")],
        OLDEST: [old_meta(OLDEST, created=days_ago(900), **_uploads(OLDEST, "x86_64"))],
    }
    clouds.images = {image for found in metas.values() for each in found for image in images_of(each)}
    (tmp_path / "policy.yaml").write_text(POLICY)
    return write_old_builds(tmp_path / "builds", metas, **more)


def days_ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _uploads(build: str, arch: str) -> dict[str, Any]:
    """Uploads of all forms; their ids say whose they are."""
    found: dict[str, Any] = json.loads(json.dumps(UPLOADS))
    for value in found.values():
        for each in value if isinstance(value, list) else [value]:
            for key in {"hvm", "id", "url", "digest", "image"} & set(each):
                each[key] = f"{each[key]}-{build}-{arch}"
    return found


def index(builds: Path) -> Any:  # noqa: ANN401
    return json.loads((builds / "builds.json").read_text())


def cleanups(builds: Path) -> dict[str, Any]:
    return {each["id"]: each.get("policy-cleanup") for each in index(builds)["builds"]}


def whose(clouds: FakeClouds) -> set[str]:
    """The builds that have images left."""
    return {build for build in (OLD, OLDEST) if any(build in each[2] for each in clouds.images)}


def test_every_cloud_s_images_of_old_builds_go(clouds: FakeClouds, tmp_path: Path) -> None:
    builds = tree(tmp_path, clouds)
    words = ("--policy", tmp_path / "policy.yaml")
    before = set(clouds.images)
    planned = run(builds, *words)
    assert {name: each["state"] for name, each in planned.items()} == {
        NEW: "kept", OLD: "would be retired", OLDEST: "would be retired"
    }  # fmt: skip
    assert (clouds.images, cleanups(builds)) == (before, dict.fromkeys((NEW, OLD, OLDEST)))
    found = run(builds, *words, *STREAMLESS)
    assert [each["state"] for each in found.values()] == ["kept", "retired", "retired"]
    assert (clouds.images, set(clouds.deleted)) == (set(), before)
    done = {"cloud-uploads": True}
    assert cleanups(builds) == {NEW: None, OLD: done, OLDEST: done}
    calls = {each["key"] for each in found[OLD]["uploads"]}
    assert calls == set(ENTRIES)
    assert {each["state"] for each in run(builds, *words, *STREAMLESS).values()} == {"kept"}


def test_keep_last_tags_and_barriers_stay(clouds: FakeClouds, tmp_path: Path) -> None:
    builds = tree(tmp_path, clouds, tags=[{"name": "ga", "target": OLD}])
    graph = {"releases": [{"version": OLDEST, "metadata": {"barrier": {"reason": "x"}}}, {"version": NEW}]}
    (tmp_path / "graph.json").write_text(json.dumps(graph))
    found = run(
        builds, "--policy", tmp_path / "policy.yaml", "--barriers", tmp_path / "graph.json", *STREAMLESS
    )
    assert {name: each["reason"] for name, each in found.items()} == {
        NEW: "not old enough", OLD: "has the tag ga", OLDEST: "is a barrier"
    }  # fmt: skip
    (tmp_path / "policy.yaml").write_text("rhel-9.6: {cloud-uploads: 1y, keep-last: 2}")
    run(builds, "--policy", tmp_path / "policy.yaml", *STREAMLESS)
    assert whose(clouds) == {OLD}


def test_a_build_that_a_stream_names_stays(clouds: FakeClouds, tmp_path: Path) -> None:
    builds = tree(tmp_path, clouds)
    words = ("--policy", tmp_path / "policy.yaml", "--stream-file", stream_file(tmp_path, OLD), "--yes")
    found = run(builds, *words)
    assert (found[OLD]["state"], found[OLD]["reason"]) == ("kept", "is named by s.json (stream rhel-9.6)")
    assert whose(clouds) == {OLD}


def stream_file(tmp_path: Path, build: str) -> Path:
    regions = {"r": {"release": build, "image": "ami-of-another-build"}}
    return write_stream(tmp_path, {"images": {"aws": {"regions": regions}}})


def write_stream(tmp_path: Path, arch: dict[str, Any], name: str = "s.json") -> Path:
    arches = {"x86_64": {"artifacts": {}, "images": {}, **arch}}
    document = {"stream": "rhel-9.6", "metadata": {"last-modified": "x"}, "architectures": arches}
    (tmp_path / name).write_text(json.dumps(document))
    return tmp_path / name


@pytest.mark.parametrize(
    "arch",
    [
        {"images": {"aws": {"regions": {"b": {"release": "1", "image": f"ami-b-{OLD}-x86_64"}}}}},
        {"images": {"aliyun": {"regions": {"b": {"release": "1", "image": f"m-1-{OLD}-aarch64"}}}}},
        {"images": {"gcp": {"release": "1", "project": "p", "name": f"x-{OLD}-x86_64"}}},
        {"images": {"kubevirt": {"release": "1", "image": "quay.io/y:tag",
                                 "digest-ref": f"quay.io/x-{OLD}-x86_64@sha256:{'a' * 64}-{OLD}-x86_64"}}},
        {"images": {"ibmcloud": {"regions": {"a": {"release": "1", "object": "o", "bucket": "b",
                                                   "url": f"https://x-{OLD}-aarch64"}}}}},
        {"rhel-coreos-extensions": {"azure-disk": {"release": "1", "url": f"https://x-{OLD}-x86_64"}}},
        {"rhel-coreos-extensions": {"aws-winli": {"regions": {"a": {"release": "1",
                                                                    "image": f"ami-1-{OLD}-x86_64"}}}}},
        {"artifacts": {"metal": {"release": OLD, "formats": {}}, "qemu": {"release": OLD, "formats": {
            "qcow2": {"disk": {"location": "https://x", "sha256": "a"}}}}}},
    ],
)  # fmt: skip
def test_one_image_in_a_stream_keeps_the_whole_build(
    arch: dict[str, Any], clouds: FakeClouds, tmp_path: Path
) -> None:
    """Also where the stream's release is another: what counts is the image."""
    builds = tree(tmp_path, clouds)
    other = write_stream(tmp_path, {}, "other.json")
    words = ("--stream-file", other, "--stream-file", write_stream(tmp_path, arch), "--yes")
    found = run(builds, OLD, OLDEST, *words)
    assert {name: each["state"] for name, each in found.items()} == {OLD: "kept", OLDEST: "retired"}
    assert not any(OLD in each[2] for each in clouds.deleted)


def test_the_stream_made_of_a_build_keeps_it(clouds: FakeClouds, tmp_path: Path) -> None:
    builds = streams.write_builds(tmp_path / "builds")
    argv = ["stream", "generate", "-o", builds, "--name", "rhel-9.8", "--published", "https://example.com"]
    done = CliRunner().invoke(bootimg, list(map(str, argv)))
    assert done.exit_code == 0, (done.output, done.exception)
    text = done.stdout.replace(f'"release": "{streams.VERSION}"', '"release": "1"')
    (tmp_path / "s.json").write_text(text)
    found = run(builds, streams.VERSION, "--stream-file", tmp_path / "s.json", "--yes")
    assert found[streams.VERSION]["state"] == "kept"


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
def test_whatever_fails_a_named_image_is_never_deleted_and_the_end_is_the_same(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Runs in which any places fail, then one in which none does."""
    folder = tmp_path_factory.mktemp("retire")
    with fake_clouds() as clouds:
        builds = tree(folder, clouds)
        places = sorted({each[1] for each in clouds.images})
        named = data.draw(st.sampled_from([None, OLD, OLDEST]))
        words: list[object] = ["--policy", folder / "policy.yaml", "--yes", "--stream-file"]
        words.append(stream_file(folder, named or "1"))
        for _ in range(data.draw(st.integers(1, 2))):
            clouds.failing = data.draw(st.sets(st.sampled_from(places)))
            due = {each[1] for each in clouds.images if not (named and named in each[2])}
            run(builds, *words, code=ExitCode.PARTIAL if clouds.failing & due else ExitCode.OK)
            marked = {name for name, each in cleanups(builds).items() if each}
            assert marked.isdisjoint(whose(clouds))
            assert not any(named and named in each[2] for each in clouds.deleted)
        clouds.failing = set()
        run(builds, *words)
        assert whose(clouds) == ({named} if named else set())
        assert len(clouds.deleted) == len(set(clouds.deleted))
        marked = {name for name, each in cleanups(builds).items() if each}
        assert marked == {OLD, OLDEST} - {named}


def test_a_place_that_fails_hides_no_other(clouds: FakeClouds, tmp_path: Path) -> None:
    builds = tree(tmp_path, clouds)
    clouds.failing = {"b"}
    found = run(builds, OLD, *STREAMLESS, code=ExitCode.PARTIAL)[OLD]
    assert (found["state"], found["marked"], cleanups(builds)[OLD]) == ("retired in part", [], None)
    left = {each[1] for each in clouds.images if OLD in each[2]}
    assert left == {"b"}
    clouds.failing, clouds.deleted = set(), []
    assert run(builds, OLD, *STREAMLESS)[OLD]["state"] == "retired"
    assert {each[1] for each in clouds.deleted} == {"b"}


@pytest.mark.parametrize(
    ("change", "id", "word"),
    [
        ({"scaleway": [{"region": "a", "image": "x"}]}, "retire-record-unknown", "scaleway"),
        ({"scaleway": {"url": "x"}}, "retire-record-unknown", "scaleway"),
        ({"amis": [{"name": "a"}]}, "build-meta-malformed", "amis without name, hvm"),
        ({"amis": {"a": 1}}, "build-meta-malformed", "amis"),
        ({"gcp": "x"}, "build-meta-malformed", "gcp"),
        ({"amis": [{"name": "a", "hvm": "1"}, {"name": "a", "hvm": "2"}]}, "build-meta-malformed", "several"),
    ],
)
def test_a_record_that_is_not_known_stops_its_build(
    change: dict[str, Any], id: str, word: str, clouds: FakeClouds, tmp_path: Path
) -> None:
    builds = tree(tmp_path, clouds)
    path = builds / OLD / "aarch64" / "meta.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    found = run(builds, "--policy", tmp_path / "policy.yaml", *STREAMLESS, code=ExitCode.PARTIAL)
    assert (found[OLD]["state"], found[OLD]["error"]["id"]) == ("stopped", id)
    assert word in found[OLD]["error"]["message"]
    assert str(path) in found[OLD]["error"]["message"]
    assert found[OLDEST]["state"] == "retired"
    assert not any(OLD in each[2] for each in clouds.deleted)


def test_values_that_are_no_uploads_stop_nothing(clouds: FakeClouds, tmp_path: Path) -> None:
    builds = tree(tmp_path, clouds)
    path = builds / OLDEST / "x86_64" / "meta.json"
    more = {"extensions": {"path": "x", "sha256": "x"}, "s3": {"bucket": "b", "key": "k"}, "koji": {"id": 1},
            "pkgdiff": [["a", 1, {}]], "coreos-assembler.x": {"url": "x"}, "base-oscontainer": {"image": "q"},
            "other": {"a": 1}, "gcp": None}  # fmt: skip
    path.write_text(json.dumps(json.loads(path.read_text()) | more))
    assert run(builds, OLDEST, *STREAMLESS)[OLDEST]["state"] == "retired"


def test_an_uploader_that_is_missing_stops_and_one_without_the_verb_is_named(
    clouds: FakeClouds, tmp_path: Path
) -> None:
    builds = tree(tmp_path, clouds)
    clouds.without = {"gcp"}
    found = run(builds, OLD, *STREAMLESS, code=ExitCode.PARTIAL)[OLD]
    assert (found["error"]["id"], clouds.deleted) == ("uploader-missing", [])
    assert "gcp" in found["error"]["message"]
    clouds.without, clouds.verbless = set(), {"azure"}
    found = run(builds, OLD, *STREAMLESS, code=ExitCode.PARTIAL)[OLD]
    errors = {each["platform"]: each["places"][0]["error"] for each in found["uploads"]}
    assert {name for name, each in errors.items() if each} == {"azure"}
    assert errors["azure"]["id"] == "cloud-verb-unsupported"
    assert {each[0] for each in clouds.images if OLD in each[2]} == {"azure"}
    assert cleanups(builds)[OLD] is None
    clouds.verbless = set()
    assert run(builds, OLD, *STREAMLESS)[OLD]["state"] == "retired"


def test_a_part_of_a_build_does_not_mark_it(clouds: FakeClouds, tmp_path: Path) -> None:
    builds = tree(tmp_path, clouds)
    found = run(builds, OLD, "-p", "gcp,azure", *STREAMLESS, code=ExitCode.PARTIAL)[OLD]
    assert {each["platform"] for each in found["uploads"]} == {"gcp", "azure"}
    assert cleanups(builds)[OLD] is None
    run(builds, OLD, "--arch", "x86_64", *STREAMLESS, code=ExitCode.PARTIAL)
    assert all("aarch64" in each[2] for each in clouds.images if OLD in each[2])
    assert run(builds, OLD, "--arch", "aarch64", *STREAMLESS)[OLD]["marked"] == ["cloud-uploads"]
    assert failing(builds, OLD, "-p", "scaleway").id == "platform-unknown"
    assert failing(builds, OLD, "--set", "colour=blue").id == "cloud-setting-invalid"
    assert failing(builds, "1.2").id == "build-not-found"


def test_a_build_without_all_its_metadata_stops(clouds: FakeClouds, tmp_path: Path) -> None:
    builds = tree(tmp_path, clouds)
    (builds / OLD / "aarch64" / "meta.json").unlink()
    found = run(builds, OLD, *STREAMLESS, code=ExitCode.PARTIAL)[OLD]
    assert found["error"]["id"] == "retire-build-incomplete"
    assert clouds.deleted == []


def test_only_builds_of_the_stream_and_its_settings(clouds: FakeClouds, tmp_path: Path) -> None:
    builds = tree(tmp_path, clouds)
    path = builds / OLDEST / "x86_64" / "meta.json"
    label = {"coreos-assembler.oci-imported-labels": {"com.coreos.stream": "other"}}
    path.write_text(json.dumps(json.loads(path.read_text()) | label))
    (tmp_path / "policy.yaml").write_text("rhel-9.6: {cloud-uploads: 1y}\nother: {cloud-uploads: 1y}")
    (tmp_path / "config.yaml").write_text(
        "streams: {rhel-9.6: {}}\nclouds: {gcp: {project: p, regions: [z]}}\n"
    )
    words = ("--policy", tmp_path / "policy.yaml", "--streams", tmp_path / "config.yaml", *STREAMLESS)
    assert set(run(builds, *words, "--stream", "rhel-9.6")) == {NEW, OLD}
    assert whose(clouds) == {OLDEST}
    assert {"project": "p"} in clouds.settings
    clouds.settings.clear()
    run(builds, *words)
    assert whose(clouds) == set()
    assert all(each == {} for each in clouds.settings)


def test_a_build_goes_after_its_images_and_leaves_a_tombstone(clouds: FakeClouds, tmp_path: Path) -> None:
    builds = tree(tmp_path, clouds)
    path = builds / OLD / "aarch64" / "meta.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"coreos-assembler.build-timestamp": days_ago(365)})
    )
    (tmp_path / "policy.yaml").write_text("rhel-9.6: {cloud-uploads: 1d, build: 2y}")
    words = ("--policy", tmp_path / "policy.yaml", *STREAMLESS)
    clouds.failing = {"b"}
    found = run(builds, *words, code=ExitCode.PARTIAL)
    assert found[OLDEST]["actions"] == ["cloud-uploads", "build"]
    assert (builds / OLDEST).is_dir()
    assert "tombstone-builds" not in index(builds)
    clouds.failing = set()
    found = run(builds, *words)
    assert found[OLDEST]["marked"] == ["cloud-uploads", "build"]
    assert not (builds / OLDEST).exists()
    stones = index(builds)["tombstone-builds"]
    assert stones == [
        {"id": OLDEST, "arches": ["x86_64"], "policy-cleanup": {"cloud-uploads": True, "build": True}}
    ]
    assert cleanups(builds) == {NEW: {"cloud-uploads": True}, OLD: {"cloud-uploads": True}}


class KilledHere(BaseException):
    """Stands for the end of the process: nothing of the product catches it."""


KILLED_AT = [
    "bootimg.orchestrator.retiring.deleting._note",
    "bootimg.orchestrator.retiring.run.change_index",
    "bootimg.orchestrator.retiring.run.bury",
    "bootimg.builds.prune.change_index",
    "bootimg.builds.prune._delete",
]


@pytest.mark.parametrize("place", KILLED_AT)
def test_wherever_it_is_killed_the_same_command_has_the_same_end(
    place: str, clouds: FakeClouds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds = tree(tmp_path, clouds)
    (tmp_path / "policy.yaml").write_text("rhel-9.6: {cloud-uploads: 1y, build: 2y}")
    words = ("--policy", tmp_path / "policy.yaml", *STREAMLESS)

    def kill(*_: object, **__: object) -> None:
        raise KilledHere

    with monkeypatch.context() as patch:
        patch.setattr(place, kill)
        with pytest.raises(KilledHere):
            run(builds, OLDEST, *words)
    assert len(clouds.deleted) > 1
    listed = {each["id"] for each in index(builds)["builds"]}
    assert all((builds / each).is_dir() for each in listed)
    if OLDEST in listed:
        run(builds, OLDEST, *words)
    run(builds, OLD, *words)
    assert [each["id"] for each in index(builds)["tombstone-builds"]] == [OLDEST]
    assert cleanups(builds) == {NEW: None, OLD: {"cloud-uploads": True}}
    assert {each.name for each in builds.iterdir() if each.name[0] != "."} == {
        NEW,
        OLD,
        "builds.json",
        "latest",
    }
    assert not [*builds.glob(".pruned*")]
    assert (len(clouds.deleted), clouds.images) == (len(set(clouds.deleted)), set())


def test_containers_of_the_layer_go_or_are_named(clouds: FakeClouds, tmp_path: Path) -> None:
    builds = tree(tmp_path, clouds)
    path = builds / OLDEST / "x86_64" / "meta.json"
    more = {"base-oscontainer": {"image": "quay.io/x", "digest": "sha256:0"}}
    path.write_text(json.dumps(json.loads(path.read_text()) | more))
    clouds.without = {"registry"}
    clouds.images.add(("base-oscontainer", "global", "sha256:0"))
    (tmp_path / "policy.yaml").write_text("rhel-9.6: {cloud-uploads: 1y, containers: 1y, build: 1y}")
    broken = builds / OLD / "aarch64" / "meta.json"
    good = broken.read_text()
    broken.write_text(json.dumps(json.loads(good) | {"oscontainer": {"digest": 7}}))
    found = run(builds, OLD, "--policy", tmp_path / "policy.yaml", *STREAMLESS, code=ExitCode.PARTIAL)
    assert (found[OLD]["error"]["id"], clouds.deleted) == ("build-meta-malformed", [])
    broken.write_text(good)
    found = run(builds, "--policy", tmp_path / "policy.yaml", *STREAMLESS, code=ExitCode.PARTIAL)
    assert found[OLD]["marked"] == ["cloud-uploads", "containers", "build"]
    assert found[OLDEST]["marked"] == ["cloud-uploads"]
    error = found[OLDEST]["uploads"][-1]["places"][0]["error"]
    assert (error["id"], found[OLDEST]["uploads"][-1]["key"]) == ("uploader-missing", "base-oscontainer")
    assert (builds / OLDEST).is_dir()
    clouds.without = set()
    found = run(builds, "--policy", tmp_path / "policy.yaml", *STREAMLESS)
    assert found[OLDEST]["marked"] == ["containers", "build"]
    assert clouds.deleted[-1] == ("base-oscontainer", "global", "sha256:0")
    assert not (builds / OLDEST).exists()


def test_texts_for_people(clouds: FakeClouds, tmp_path: Path) -> None:
    builds = tree(tmp_path, clouds)
    argv = ["retire", "-o", builds, "--cache", tmp_path / "cache", "--policy", tmp_path / "policy.yaml"]
    done = CliRunner().invoke(bootimg, list(map(str, argv)))
    assert done.exit_code == 0
    assert f"{OLD}  rhel-9.6  would be retired  cloud-uploads" in done.stdout
    assert "nothing was deleted; --yes deletes" in done.stdout
    for words in (["retire"], ["retire", "x", "--yes", "-n"]):
        assert CliRunner().invoke(bootimg, words).exit_code == ExitCode.USAGE


def test_marks_are_merged_into_another_index_and_nothing_of_it_is_lost() -> None:
    stone = {"id": "1", "arches": ["x86_64"], "policy-cleanup": {"build": True}}
    marked = {"id": "2", "arches": ["x86_64"], "policy-cleanup": {"cloud-uploads": True}}
    ours = {"builds": [marked], "tombstone-builds": [stone]}
    there = {"schema-version": "1.0.0", "tags": [], "other": 1, "builds": [
        {"id": "3", "arches": ["x86_64"]},
        {"id": "2", "arches": ["x86_64", "s390x"], "policy-cleanup": {"images-kept": ["qemu"]}, "own": 2},
        {"id": "1", "arches": ["x86_64"]},
    ]}  # fmt: skip
    found = with_marks(there, ours)
    assert [each["id"] for each in found["builds"]] == ["3", "2"]
    cleanup = {"images-kept": ["qemu"], "cloud-uploads": True}
    assert found["builds"][1] == {
        "id": "2", "arches": ["x86_64", "s390x"], "own": 2, "policy-cleanup": cleanup
    }  # fmt: skip
    assert found["tombstone-builds"] == ours["tombstone-builds"]
    assert found["other"] == 1
    assert with_marks(found, ours) is found
    assert with_cleanup(found, "9", {"x": True}) is found
    assert with_tombstones(found, []) is found


def test_the_bucket_s_builds_json_is_marked_too(clouds: FakeClouds, tmp_path: Path) -> None:
    """An index that others have changed meanwhile keeps what they wrote."""
    builds = tree(tmp_path, clouds)
    found = index(builds)
    found["builds"].insert(0, {"id": "9.6.20261102-0", "arches": ["x86_64"]})
    store = Store(json.dumps(found).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bootimg.builds.bucket.tree.Bucket", lambda place: store)
        run(builds, OLD, "--push", "s3://art/builds", *STREAMLESS)
        assert store.writes == 2
        run(builds, OLD, "--push", "s3://art/builds", *STREAMLESS)
        assert store.writes == 2
    pushed = {each["id"]: each.get("policy-cleanup") for each in json.loads(store.data)["builds"]}
    assert pushed == {"9.6.20261103-0": None, "9.6.20261102-0": None, NEW: None,
                      OLD: {"cloud-uploads": True}, OLDEST: None}  # fmt: skip


class Store:
    """A bucket with one object, which somebody else changes between our first look and our write."""

    def __init__(self, data: bytes) -> None:
        self.data, self.writes = data, 0

    def url(self, key: str) -> str:
        return f"s3://art/{key}"

    def read(self, key: str) -> Any:  # noqa: ANN401
        from bootimg.builds.bucket.jsonstore import Stored

        return Stored(self.data, str(hash(self.data)))

    def put(self, key: str, data: bytes, replaces: str | None) -> bool:
        self.writes += 1
        if self.writes == 1:
            document = json.loads(self.data)
            document["builds"].insert(0, {"id": "9.6.20261103-0", "arches": ["x86_64"]})
            self.data = json.dumps(document).encode()
        if replaces != str(hash(self.data)):
            return False
        self.data = data
        return True

"""What the stages of a pipeline need of a bucket: builds that are being pushed, whole ones, many arches."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bootimg.arch import Arch
from bootimg.builds.expected import expect
from bootimg.builds.find import find_build
from bootimg.builds.folder import open_build
from bootimg.builds.index import read_index
from bootimg.builds.layout import META
from bootimg.builds.made import Made
from bootimg.builds.meta import image_entry
from bootimg.builds.provenance.writing import write_provenance
from bootimg.builds.record import Record, change_record
from bootimg.cli.main import bootimg
from bootimg.errors import BootimgError, ExitCode
from bootimg.formats import Written
from tests.support.builds import streams
from tests.unit.builds.test_bucket import (  # noqa: F401 - fixtures
    URL,
    bucket,
    client,
    descriptions,
    endpoint,
    failing,
    keys,
    names,
    run,
    s3,
    stored_json,
)
from tests.unit.builds.test_meta import X86, make_build, written
from tests.unit.streams.test_metadata import NEWER

ARM = Arch.AARCH64


def add_image(builds: Path, key: str, arch: Arch = X86) -> None:
    """One more image of the build 1."""
    with open_build(builds, "1", arch) as build:
        made = written(build.scratch / key, key.encode())
        path = build.publish(made.path, f"rhcos-1-{key}.{arch}.vmdk")
        entry = image_entry(Written(path, made.size, made.sha256), skip_compression=True)
        build.meta.merge({"images": {**build.meta.read()["images"], key: entry}})


def test_a_build_that_is_being_pushed_is_fetched_before_it_is_listed(
    s3: Any,  # noqa: ANN401, F811
    tmp_path: Path,
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    words = ("fetch", URL, "-o", theirs, "--started", "--build", "1", "--arch", "x86_64", "--artifact", "all")
    assert json.loads(run(*words, "--json")) == {"builds": []}
    assert not (theirs / "1").exists()
    make_build(ours, "1")
    run("push", URL, "-o", ours, "--skip-builds-json")
    assert "builds.json" not in keys(s3)
    assert failing("fetch", URL, "-o", theirs, "--build", "1", "--arch", "x86_64") == "build-not-found"
    run(*words)
    assert "rhcos-1-qemu.x86_64.qcow2" in names(theirs / "1/x86_64")
    assert run("fetch", URL, "-o", theirs, "--started", "--arch", "all", code=ExitCode.USAGE) == ""


def test_a_build_that_lacks_something_is_pushed_and_not_listed(s3: Any, tmp_path: Path) -> None:  # noqa: ANN401, F811
    path = make_build(tmp_path, "1")
    expect(path, ["qemu", "aws"])
    out = json.loads(run("push", URL, "-o", tmp_path, "--whole", "--json", code=ExitCode.PARTIAL))
    (pushed,) = out["builds"]
    assert (pushed["missing"], pushed["listed"], pushed["url"]) == (["aws"], False, f"{URL}/1/x86_64")
    assert "1/x86_64/meta.json" in keys(s3) and "builds.json" not in keys(s3)
    add_image(tmp_path, "aws")
    (pushed,) = json.loads(run("push", URL, "-o", tmp_path, "--whole", "--json"))["builds"]
    assert (pushed["missing"], pushed["listed"]) == ([], True)
    assert stored_json(s3, "builds.json")["builds"] == [{"id": "1", "arches": ["x86_64"]}]


def test_a_push_says_the_digest_of_the_provenance(s3: object, tmp_path: Path) -> None:  # noqa: F811
    path = make_build(tmp_path, "1")
    change_record(path, Record(made={"qemu": Made(bootimg="1", deploy="native", target_imgref="x")}))
    with open_build(tmp_path, "1", X86) as build:
        made = write_provenance(build)
    assert made is not None
    (pushed,) = json.loads(run("push", URL, "-o", tmp_path, "--json"))["builds"]
    assert pushed["provenance"] == {
        "url": f"{URL}/1/x86_64/{made.file.path}", "digest": f"sha256:{made.file.sha256}"
    }  # fmt: skip


def test_an_artifact_of_some_architectures_is_fetched_for_those(s3: object, tmp_path: Path) -> None:  # noqa: F811
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for arch in (X86, ARM):
        make_build(ours, "1", arch)
    add_image(ours, "aws", ARM)
    run("push", URL, "-o", ours)
    run("fetch", URL, "-o", theirs, "--arch", "all", "--artifact", "aws")
    assert names(theirs / "1/x86_64") == {META}
    assert "rhcos-1-aws.aarch64.vmdk" in names(theirs / "1/aarch64")
    assert find_build(theirs, "1", X86).id == "1"
    assert failing("fetch", URL, "-o", theirs, "--arch", "all", "--artifact", "aws,gcp") == "artifact-missing"
    # Whoever names the architecture means it.
    assert failing("fetch", URL, "-o", theirs, "--arch", "x86_64", "--artifact", "aws") == "artifact-missing"


def test_the_newest_builds_are_fetched_in_their_order(s3: object, tmp_path: Path) -> None:  # noqa: F811
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for name in ("1", "2", "3"):
        make_build(ours, name)
        run("push", URL, "-o", ours)
    run("fetch", URL, "-o", theirs, "--arch", "all", "--newest", "2")
    assert [each["id"] for each in read_index(theirs)["builds"]] == ["3", "2"]
    assert run("fetch", URL, "--newest", "2", "--build", "1", code=ExitCode.USAGE) == ""


@pytest.fixture
def bumps(s3: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:  # noqa: F811
    """A tree of an older and a newer build, at a fixed time."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1777416000")
    builds = streams.write_builds(tmp_path / streams.STREAM / "builds")
    for arch in streams.IMAGES:
        folder = builds / NEWER / arch
        folder.mkdir(parents=True)
        (folder / META).write_text(json.dumps(streams.meta(arch, NEWER)))
    yield builds


def bump_words(builds: Path, build: str, *words: object) -> list[str]:
    return ["stream", "bump", build, "-o", str(builds), "--target", "s3://art/streams/rhel-9.8.json",
            "--no-signatures", "--name", streams.STREAM, "--json", *map(str, words)]  # fmt: skip


def bump(builds: Path, build: str, *words: object) -> dict[str, Any]:
    done = CliRunner().invoke(bootimg, bump_words(builds, build, *words))
    assert done.exit_code == 0, (done.output, done.exception)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def stored_stream(client: Any) -> dict[str, Any]:  # noqa: ANN401, F811
    found: dict[str, Any] = json.loads(
        client.get_object(Bucket="art", Key="streams/rhel-9.8.json")["Body"].read()
    )
    return found


def releases(stream: dict[str, Any]) -> set[str]:
    arches = stream["architectures"].values()
    return {each["release"] for arch in arches for each in arch["artifacts"].values()}


def test_a_stream_in_a_bucket_is_made_and_updated(bumps: Path, s3: Any) -> None:  # noqa: ANN401, F811
    first = bump(bumps, streams.VERSION)
    assert first["changed"] and releases(stored_stream(s3)) == {streams.VERSION}
    again = bump(bumps, streams.VERSION)
    assert (again["changed"], again["sha256"]) == (False, first["sha256"])
    assert bump(bumps, NEWER)["changed"] and releases(stored_stream(s3)) == {NEWER}
    # A run of an older build that ends later takes nothing back.
    late = bump(bumps, streams.VERSION, "--keep-newer")
    assert not late["changed"] and len(late["notes"]) == len(streams.IMAGES)
    assert releases(stored_stream(s3)) == {NEWER}
    assert bump(bumps, streams.VERSION)["changed"]


def test_two_runs_that_update_a_stream_at_once_lose_nothing(bumps: Path, s3: Any) -> None:  # noqa: ANN401, F811
    """Each updates another architecture: what the other wrote stays."""
    python = (sys.executable, "-m", "bootimg")
    words = [[*python, *bump_words(bumps, f"{arch}={streams.VERSION}")] for arch in streams.IMAGES]
    running = [subprocess.Popen(each, stdout=subprocess.DEVNULL) for each in words]
    assert [each.wait(300) for each in running] == [0] * len(words)
    assert set(stored_stream(s3)["architectures"]) == set(streams.IMAGES)


def test_a_site_is_pushed_and_only_what_changed_again(s3: Any, tmp_path: Path) -> None:  # noqa: ANN401, F811
    make_build(tmp_path / "builds", "1")
    words = ["browse", "-o", str(tmp_path / "builds"), "-d", str(tmp_path / "site"), "--push", "s3://art/site",
             "--json", "--cache", str(tmp_path / "cache")]  # fmt: skip

    def pushed() -> dict[str, Any]:
        done = CliRunner().invoke(bootimg, words)
        assert done.exit_code == 0, (done.output, done.exception)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    first = pushed()
    assert first["pushed"] == first["files"] > 2
    head = s3.head_object(Bucket="art", Key="site/index.html")
    assert head["ContentType"] == "text/html; charset=utf-8"
    assert pushed()["pushed"] == 0
    make_build(tmp_path / "builds", "2")
    again = pushed()
    assert 0 < again["pushed"] < again["files"]


def test_a_site_is_refused_a_place_that_is_none(s3: object, tmp_path: Path) -> None:  # noqa: F811
    words = ["browse", "-o", str(tmp_path), "-d", str(tmp_path / "site"), "--push", "http://x"]
    done = CliRunner().invoke(bootimg, words)
    assert isinstance(done.exception, BootimgError) and done.exception.id == "bucket-url-invalid"
    assert not (tmp_path / "site").exists()

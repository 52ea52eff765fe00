"""`bootimg builds fetch|push` against a server of S3 on the loopback interface, over real HTTP."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.hooks import EventAliaser
from botocore.loaders import create_loader
from click.testing import CliRunner
from moto.server import ThreadedMotoServer

from bootimg.arch import Arch
from bootimg.builds.bucket import tree as buckets
from bootimg.builds.bucket.fetch import Wanted, fetch_build
from bootimg.builds.bucket.push import Selection, push_builds
from bootimg.builds.bucket.s3client import Place, parse_place
from bootimg.builds.bucket.tree import Bucket
from bootimg.builds.companions import companion
from bootimg.builds.expected import expect, expected
from bootimg.builds.find import Build, find_build
from bootimg.builds.folder import open_build
from bootimg.builds.index import read_index
from bootimg.builds.made import Made
from bootimg.builds.meta import MetaFile
from bootimg.builds.provenance.writing import write_provenance
from bootimg.builds.record import Record, change_record
from bootimg.builds.state import FileState, build_states
from bootimg.checks.builds.artifactrules import artifact_findings
from bootimg.checks.rules import Rule
from bootimg.cli.main import bootimg
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.urls import joined
from tests.support.builds.streams import write_builds
from tests.unit.builds.test_meta import X86, add_sbom, make_build

URL = "s3://art/prod/builds"
PREFIX = "prod/builds"


@pytest.fixture(scope="module", autouse=True)
def descriptions() -> Iterator[None]:
    """boto3's descriptions of services are found and parsed once, not for every client."""
    loader = cache(create_loader)
    alias = cache(EventAliaser(None)._alias_event_name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", loader)
        patch.setattr(EventAliaser, "_alias_event_name", lambda _, event: alias(event))
        yield


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def client(endpoint: str) -> Any:  # noqa: ANN401
    credentials = {"aws_access_key_id": "id", "aws_secret_access_key": "secret"}
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **credentials)


@pytest.fixture
def s3(client: Any, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401
    """A client of an empty server with the bucket `art`, for which the environment is set."""
    for name in ("AWS_PROFILE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
        "BOOTIMG_S3_ENDPOINT_URL": endpoint, "AWS_CONFIG_FILE": "/none", "AWS_MAX_ATTEMPTS": "2",
        "AWS_SHARED_CREDENTIALS_FILE": "/none", "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    urllib.request.urlopen(f"{endpoint}/moto-api/reset", data=b"").close()
    client.create_bucket(Bucket="art")
    return client


@pytest.fixture
def bucket(s3: object, endpoint: str) -> Bucket:
    return Bucket(Place("art", PREFIX, endpoint))


def run(*words: object, code: int = ExitCode.OK) -> str:
    done = CliRunner().invoke(bootimg, ["builds", *map(str, words)])
    if code == ExitCode.OK and done.exception is not None:
        raise done.exception
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout


def failing(*words: object) -> str:
    done = CliRunner().invoke(bootimg, ["builds", *map(str, words)])
    assert isinstance(done.exception, BootimgError), (done.output, done.exception)
    return done.exception.id


def keys(s3: Any) -> set[str]:  # noqa: ANN401
    found = s3.list_objects_v2(Bucket="art").get("Contents", [])
    return {each["Key"].removeprefix(f"{PREFIX}/") for each in found}


def content(s3: Any, key: str) -> bytes:  # noqa: ANN401
    data: bytes = s3.get_object(Bucket="art", Key=f"{PREFIX}/{key}")["Body"].read()
    return data


def stored_json(s3: Any, key: str) -> Any:  # noqa: ANN401
    return json.loads(content(s3, key))


def consistent(s3: Any) -> None:  # noqa: ANN401
    """What is in the bucket can be read: every build listed has a meta.json, and that its files, whole."""
    there = keys(s3)
    metas = {key for key in there if key.endswith("/meta.json")}
    if "builds.json" in there:
        for entry in stored_json(s3, "builds.json")["builds"]:
            assert {f"{entry['id']}/{arch}/meta.json" for arch in entry["arches"]} <= metas
    for key in metas:
        for image in stored_json(s3, key)["images"].values():
            data = content(s3, f"{key.removesuffix('meta.json')}{image['path']}")
            assert hashlib.sha256(data).hexdigest() == image["sha256"]


def push(builds: Path, bucket: Bucket, *arches: Arch, **chosen: Any) -> list[bool]:  # noqa: ANN401
    found: list[Build] = [find_build(builds, "latest", arch) for arch in arches or (X86,)]
    pushed = push_builds(found, bucket, Selection(**chosen), Events())
    return [file.moved for each in pushed for file in each.files]


def test_a_push_has_the_layout_and_headers_of_coreos_assembler(s3: Any, tmp_path: Path) -> None:  # noqa: ANN401
    path = make_build(tmp_path, "1")
    (path / "rhcos-1-qemu.x86_64.qcow2.sig").write_bytes(b"signature")
    (path / "commitmeta.json").write_text("{}")
    (path.parent / "release.json").write_text("{}")
    run("push", URL, "-o", tmp_path, "--acl", "public-read")
    stem = "1/x86_64/rhcos-1"
    assert keys(s3) == {
        "builds.json", "1/release.json", "1/x86_64/meta.json", "1/x86_64/commitmeta.json",
        f"{stem}-qemu.x86_64.qcow2", f"{stem}-qemu.x86_64.qcow2.sig", f"{stem}-ostree.x86_64.ociarchive",
        f"{stem}-ostree.x86_64-manifest.json",
    }  # fmt: skip
    heads = {key: s3.head_object(Bucket="art", Key=f"{PREFIX}/{key}") for key in keys(s3)}
    artifacts = {key for key in heads if key.endswith((".qcow2", ".ociarchive", "-manifest.json"))}
    for key, head in heads.items():
        assert head["CacheControl"] == ("max-age=31536000" if key in artifacts else "max-age=300")
        json_type = key.endswith(".json")
        assert head["ContentType"] == ("application/json" if json_type else "application/octet-stream")
        assert head["Metadata"]["sha256"] == hashlib.sha256(content(s3, key)).hexdigest()
        grants = s3.get_object_acl(Bucket="art", Key=f"{PREFIX}/{key}")["Grants"]
        assert any("AllUsers" in each["Grantee"].get("URI", "") for each in grants)
    assert stored_json(s3, "1/x86_64/meta.json") == json.loads((path / "meta.json").read_text())
    assert stored_json(s3, "builds.json")["builds"] == [{"id": "1", "arches": ["x86_64"]}]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.raw.gz", "application/gzip"), ("a.iso", "application/x-iso9660-image"), ("a.xz", "application/x-xz"),
     ("a.tar", "application/x-tar"), ("a.spdx.json", "application/spdx+json"),
     ("a.intoto.json", "application/vnd.in-toto+json"), ("a.json", "application/json"),
     ("a.intoto.json.sigstore.json", "application/vnd.dev.sigstore.bundle.v0.3+json"),
     ("live-kernel.x86_64", "application/octet-stream")],
)  # fmt: skip
def test_content_types(s3: Any, bucket: Bucket, tmp_path: Path, name: str, kind: str) -> None:  # noqa: ANN401
    (tmp_path / name).write_bytes(b"x")
    bucket.upload(tmp_path / name, name, "0" * 64, 60, lambda _: None)
    head = s3.head_object(Bucket="art", Key=f"{PREFIX}/{name}")
    assert (head["ContentType"], head["CacheControl"]) == (kind, "max-age=60")


def test_a_large_file_goes_in_parts_and_keeps_its_digest(
    s3: Any,  # noqa: ANN401
    bucket: Bucket,
    tmp_path: Path,
) -> None:
    data, counted = os.urandom(9 << 20), list[int]()
    (tmp_path / "large").write_bytes(data)
    wanted = buckets.Head(len(data), hashlib.sha256(data).hexdigest())
    bucket.upload(tmp_path / "large", "large", str(wanted.sha256), 60, counted.append)
    assert s3.head_object(Bucket="art", Key=f"{PREFIX}/large")["ETag"].endswith('-2"')
    assert sum(counted) == len(data)
    assert bucket.head("large") == wanted
    bucket.download("large", tmp_path / "back", wanted, counted.append)
    assert (tmp_path / "back").read_bytes() == data


def test_a_second_push_sends_nothing(bucket: Bucket, tmp_path: Path) -> None:
    make_build(tmp_path, "1")
    assert push(tmp_path, bucket) == [True] * 3
    before = bucket.read("1/x86_64/meta.json"), bucket.read("builds.json")
    assert push(tmp_path, bucket) == [False] * 3
    assert (bucket.read("1/x86_64/meta.json"), bucket.read("builds.json")) == before


def test_fetching_gives_metadata_then_single_artifacts_then_all(
    s3: Any,  # noqa: ANN401
    tmp_path: Path,
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    path = make_build(ours, "1")
    (path / "rhcos-1-qemu.x86_64.qcow2.sig").write_bytes(b"signature")
    (path / "commitmeta.json").write_text("{}")
    expect(path, ["qemu", "metal"])
    run("push", URL, "-o", ours)
    run("fetch", URL, "-o", theirs, "--arch", "x86_64")
    assert names(theirs / "1" / "x86_64") == {"meta.json", "commitmeta.json", "bootimg.json"}
    expect(theirs / "1" / "x86_64", ["aws"])
    run("fetch", URL, "-o", theirs, "--arch", "x86_64")
    assert expected(theirs / "1" / "x86_64") == ("aws", "metal", "qemu")
    shown = run("list", "-o", theirs, "--check", code=ExitCode.PARTIAL)
    assert "aws expected, metal expected" in shown
    (path / "bootimg.json").write_text('{"asked": ["gcp"]}')
    run("push", URL, "-o", ours)
    assert stored_json(s3, "1/x86_64/bootimg.json")["asked"] == ["gcp", "metal", "qemu"]
    (theirs / "1" / "x86_64" / "bootimg.json").unlink()
    s3.delete_object(Bucket="art", Key=f"{PREFIX}/1/x86_64/bootimg.json")
    assert json.loads((theirs / "1/x86_64/meta.json").read_text()) == json.loads(
        (path / "meta.json").read_text()
    )
    assert find_build(theirs, "latest", X86).id == "1"
    run("fetch", URL, "-o", theirs, "--arch", "x86_64", "--artifact", "qemu")
    assert names(theirs / "1" / "x86_64") == {
        "meta.json", "commitmeta.json", "rhcos-1-qemu.x86_64.qcow2", "rhcos-1-qemu.x86_64.qcow2.sig",
    }  # fmt: skip
    text = run("fetch", URL, "-o", theirs, "--arch", "all", "--artifact", "all", "--build", "1")
    assert "was here" in text
    assert build_states(theirs)[0].complete
    for file in (each for each in path.iterdir() if each.name[0] != "." and each.name != "bootimg.json"):
        assert (theirs / "1" / "x86_64" / file.name).read_bytes() == file.read_bytes()


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir() if not each.name.startswith(".")}


def test_an_sbom_goes_there_and_back_with_the_metadata(s3: Any, tmp_path: Path) -> None:  # noqa: ANN401
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    make_build(ours, "1")
    file = add_sbom(ours, "1")
    Path(f"{file}.sig").write_bytes(b"signature")
    run("push", URL, "-o", ours, "--artifact", "ostree")
    head = s3.head_object(Bucket="art", Key=f"{PREFIX}/1/x86_64/{file.name}")
    assert (head["ContentType"], head["CacheControl"]) == ("application/spdx+json", "max-age=300")
    fetched = json.loads(run("fetch", URL, "-o", theirs, "--arch", "x86_64", "--json"))["builds"][0]["files"]
    assert [(each["key"], each["moved"]) for each in fetched] == [(f"1/x86_64/{file.name}", True)]
    folder = theirs / "1" / "x86_64"
    assert names(folder) == {"meta.json", "bootimg.json", file.name, f"{file.name}.sig"}
    assert (folder / file.name).read_bytes() == file.read_bytes()
    assert companion(folder, "sbom") == companion(file.parent, "sbom")
    assert "was here" in run("fetch", URL, "-o", theirs, "--arch", "x86_64")
    # It is not here and is there: that is enough, as for an artifact.
    (folder / file.name).unlink()
    push_all = ("push", URL, "-o", theirs, "--artifact", "ostree")
    run(*push_all)
    s3.delete_object(Bucket="art", Key=f"{PREFIX}/1/x86_64/{file.name}")
    assert failing(*push_all) == "artifact-missing"


def test_the_provenance_goes_there_and_back_with_its_signatures(s3: Any, tmp_path: Path) -> None:  # noqa: ANN401
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    path = make_build(ours, "1")
    change_record(path, Record(made={"qemu": Made(bootimg="1", deploy="native", target_imgref="x")}))
    with open_build(ours, "1", X86) as build:
        made = write_provenance(build)
    assert made is not None
    file = path / made.file.path
    for suffix in (".sig", ".sigstore.json"):
        Path(f"{file}{suffix}").write_bytes(b"signature")
    run("push", URL, "-o", ours)
    run("fetch", URL, "-o", theirs, "--arch", "x86_64")
    folder = theirs / "1" / "x86_64"
    beside = {f"{file.name}{suffix}" for suffix in ("", ".sig", ".sigstore.json")}
    assert names(folder) == {"meta.json", "bootimg.json", *beside}
    assert (folder / file.name).read_bytes() == file.read_bytes()
    assert companion(folder, "provenance") == made.file


def test_a_provenance_that_lacks_a_fetched_image_is_written_again(s3: Any, tmp_path: Path) -> None:  # noqa: ANN401
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    how = Made(bootimg="1", deploy="native", target_imgref="x")
    for builds, keys in ((ours, ["qemu", "metal"]), (theirs, ["qemu"])):
        path = make_build(builds, "1")
        change_record(path, Record(made=dict.fromkeys(keys, how)))
        with open_build(builds, "1", X86) as build:
            if "metal" in keys:
                entry: dict[str, Any] = {"path": "rhcos-1-metal.x86_64.raw", "sha256": "0" * 64, "size": 1}
                build.meta.merge({"images": {"metal": entry}})
                build.file(entry["path"]).write_bytes(b"")
            made = write_provenance(build)
    assert made is not None
    run("push", URL, "-o", ours, "--artifact", "qemu", "--artifact", "ostree")
    run("fetch", URL, "-o", theirs, "--arch", "x86_64")
    assert companion(path, "provenance") == made.file
    whole = stored_json(s3, "1/x86_64/meta.json")
    whole["images"]["metal"] = entry
    s3.put_object(Bucket="art", Key=f"{PREFIX}/1/x86_64/meta.json", Body=json.dumps(whole).encode())
    run("fetch", URL, "-o", theirs, "--arch", "x86_64")
    assert companion(path, "provenance") == companion(ours / "1/x86_64", "provenance")


def test_another_sbom_here_stays_and_one_that_is_gone_is_replaced(s3: Any, tmp_path: Path) -> None:  # noqa: ANN401
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for builds, content in ((ours, b"ours"), (theirs, b"by another version")):
        make_build(builds, "1")
        add_sbom(builds, "1", content)
    run("push", URL, "-o", ours)
    fetch = ("fetch", URL, "-o", theirs, "--arch", "x86_64")
    run(*fetch)
    folder, file = theirs / "1" / "x86_64", theirs / "1/x86_64/rhcos-1-sbom.x86_64.spdx.json"
    assert file.read_bytes() == b"by another version"
    run("push", URL, "-o", theirs)
    assert content_of_sbom(s3) == (b"by another version", stored_json(s3, "1/x86_64/bootimg.json")["sbom"])
    run("push", URL, "-o", ours)
    file.unlink()
    run(*fetch)
    assert file.read_bytes() == b"ours"
    found = companion(folder, "sbom")
    assert found is not None
    assert found.is_whole(folder)


def content_of_sbom(s3: Any) -> tuple[bytes, Any]:  # noqa: ANN401
    """The SBOM in the bucket, and the entry that it is to have."""
    name = "rhcos-1-sbom.x86_64.spdx.json"
    data = content(s3, f"1/x86_64/{name}")
    return data, {"path": name, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def test_a_wrong_sbom_goes_neither_there_nor_back(s3: Any, tmp_path: Path) -> None:  # noqa: ANN401
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    make_build(ours, "1")
    file = add_sbom(ours, "1", b"document")
    run("push", URL, "-o", ours)
    key = f"{PREFIX}/1/x86_64/{file.name}"
    s3.put_object(Bucket="art", Key=key, Body=b"DOCUMENT")
    fetch = ("fetch", URL, "-o", theirs, "--arch", "x86_64")
    assert failing(*fetch) == "bucket-object-damaged"
    assert names(theirs / "1" / "x86_64") == set()
    s3.delete_object(Bucket="art", Key=key)
    run(*fetch)
    assert "sbom absent" in run("list", "-o", theirs)
    record = {"sbom": {"path": "meta.json", "sha256": "0" * 64, "size": 1}}
    s3.put_object(Bucket="art", Key=f"{PREFIX}/1/x86_64/bootimg.json", Body=json.dumps(record).encode())
    assert failing(*fetch) == "build-record-malformed"
    file.chmod(0o644)
    file.write_bytes(b"DOCUMENT")
    assert failing("push", URL, "-o", ours) == "artifact-damaged"


def test_a_tree_of_coreos_assemblers_goes_there_and_back(s3: Any, tmp_path: Path) -> None:  # noqa: ANN401
    write_builds(tmp_path / "ours", files=True)
    two = ("--arch", "ppc64le", "--arch", "s390x")
    run("push", URL, "-o", tmp_path / "ours", *two)
    consistent(s3)
    run("fetch", URL, "-o", tmp_path / "theirs", "--arch", "all", "--artifact", "all")
    (state,) = build_states(tmp_path / "theirs")
    assert state.complete
    assert {arch.arch for arch in state.arches} == {"ppc64le", "s390x"}
    assert all(each.signed for arch in state.arches for each in arch.artifacts)


def test_what_coreos_assembler_has_uploaded_without_digests_is_read_not_sent(
    s3: Any,  # noqa: ANN401
    bucket: Bucket,
    tmp_path: Path,
) -> None:
    path = make_build(tmp_path, "1")
    for file in path.glob("rhcos-*"):
        s3.upload_file(str(file), "art", f"{PREFIX}/1/x86_64/{file.name}")
    assert push(tmp_path, bucket) == [False] * 3


def test_another_file_under_the_name_is_refused_unless_forced(
    s3: Any,  # noqa: ANN401
    bucket: Bucket,
    tmp_path: Path,
) -> None:
    make_build(tmp_path, "1")
    key = f"{PREFIX}/1/x86_64/rhcos-1-qemu.x86_64.qcow2"
    s3.put_object(Bucket="art", Key=key, Body=b"CONTENT of qemu")
    assert failing("push", URL, "-o", tmp_path) == "bucket-object-differs"
    assert content(s3, "1/x86_64/rhcos-1-qemu.x86_64.qcow2") == b"CONTENT of qemu"
    assert not keys(s3) & {"builds.json", "1/x86_64/meta.json"}
    push(tmp_path, bucket, force=True)
    consistent(s3)


def test_a_damaged_file_here_is_not_pushed(s3: Any, tmp_path: Path) -> None:  # noqa: ANN401
    file = make_build(tmp_path, "1") / "rhcos-1-qemu.x86_64.qcow2"
    file.chmod(0o644)
    file.write_bytes(b"CONTENT of qemu")
    assert failing("push", URL, "-o", tmp_path) == "artifact-damaged"
    assert not any("qemu" in key or key.endswith(("builds.json", "/meta.json")) for key in keys(s3))


@pytest.mark.parametrize("wrong", [b"CONTENT of qemu", b"short", b"longer than what was said"])
def test_a_wrong_object_is_not_fetched(s3: Any, tmp_path: Path, wrong: bytes) -> None:  # noqa: ANN401
    make_build(tmp_path / "ours", "1")
    run("push", URL, "-o", tmp_path / "ours")
    s3.put_object(Bucket="art", Key=f"{PREFIX}/1/x86_64/rhcos-1-qemu.x86_64.qcow2", Body=wrong)
    words = ("fetch", URL, "-o", tmp_path / "theirs", "--arch", "x86_64", "--artifact", "qemu")
    assert failing(*words) == "bucket-object-damaged"
    assert names(tmp_path / "theirs" / "1" / "x86_64") == set()
    assert not (tmp_path / "theirs" / "builds.json").exists()


def test_only_what_is_chosen_is_pushed_and_named_and_the_rest_later(
    s3: Any,  # noqa: ANN401
    bucket: Bucket,
    tmp_path: Path,
) -> None:
    path = make_build(tmp_path, "1")
    (path / "rhcos-1-qemu.x86_64.qcow2.sig").write_bytes(b"signature")
    run("push", URL, "-o", tmp_path, "--artifact", "ostree,oci-manifest", "--skip-builds-json")
    assert "builds.json" not in keys(s3)
    assert not any("qemu" in key for key in keys(s3))
    assert set(stored_json(s3, "1/x86_64/meta.json")["images"]) == {"ostree", "oci-manifest"}
    consistent(s3)
    push(tmp_path, bucket, artifacts=["qemu"])
    assert set(stored_json(s3, "1/x86_64/meta.json")["images"]) == {"ostree", "oci-manifest", "qemu"}
    consistent(s3)
    assert failing("push", URL, "-o", tmp_path, "--artifact", "aws") == "artifact-missing"


def test_a_build_of_which_only_metadata_was_fetched_is_pushed_if_its_files_are_there(
    s3: Any,  # noqa: ANN401
    bucket: Bucket,
    tmp_path: Path,
) -> None:
    make_build(tmp_path / "ours", "1")
    push(tmp_path / "ours", bucket)
    run("fetch", URL, "-o", tmp_path / "theirs", "--arch", "x86_64")
    MetaFile(tmp_path / "theirs/1/x86_64/meta.json").merge(
        {"amis": [{"name": "r", "hvm": "a", "snapshot": "s"}]}
    )
    push(tmp_path / "theirs", bucket)
    assert stored_json(s3, "1/x86_64/meta.json")["amis"][0]["hvm"] == "a"
    consistent(s3)
    s3.delete_object(Bucket="art", Key=f"{PREFIX}/1/x86_64/rhcos-1-qemu.x86_64.qcow2")
    assert failing("push", URL, "-o", tmp_path / "theirs") == "artifact-missing"


def repacked(builds: Path, name: str) -> dict[str, Any]:
    """The entry of the build's qemu image after another file has taken its place."""
    with open_build(builds, "1", X86) as build:
        (build.scratch / "z").write_bytes(b"packed")
        build.publish(build.scratch / "z", name)
        entry = {"path": name, "sha256": hashlib.sha256(b"packed").hexdigest(), "size": 6}
        build.replace_image("qemu", entry)
    return entry


def test_what_others_have_put_into_the_buckets_metadata_stays(
    s3: Any,  # noqa: ANN401
    bucket: Bucket,
    tmp_path: Path,
) -> None:
    path = make_build(tmp_path, "1")
    push(tmp_path, bucket)
    there = stored_json(s3, "1/x86_64/meta.json")
    there |= {"amis": [{"name": "us-east-1", "hvm": "ami-1", "snapshot": "s"}]}
    there["coreos-assembler.meta-stamp"] += 10**12
    s3.put_object(Bucket="art", Key=f"{PREFIX}/1/x86_64/meta.json", Body=json.dumps(there).encode())
    s3.put_object(
        Bucket="art", Key=f"{PREFIX}/builds.json",
        Body=json.dumps({"schema-version": "1.0.0", "tags": [{"name": "a", "target": "0"}],
                         "builds": [{"id": "0", "arches": ["riscv64"], "policy-cleanup": {}}]}).encode(),
    )  # fmt: skip
    s3.put_object(Bucket="art", Key=f"{PREFIX}/0/riscv64/meta.json", Body=b'{"images": {}}')
    entry = repacked(tmp_path, "rhcos-1-qemu.x86_64.qcow2.gz")
    push(tmp_path, bucket)
    after = stored_json(s3, "1/x86_64/meta.json")
    assert after["amis"][0]["hvm"] == "ami-1"
    assert after["images"]["qemu"] == entry
    index = stored_json(s3, "builds.json")
    assert index["builds"] == [
        {"id": "1", "arches": ["x86_64"]}, {"id": "0", "arches": ["riscv64"], "policy-cleanup": {}},
    ]  # fmt: skip
    assert index["tags"] == [{"name": "a", "target": "0"}]
    consistent(s3)
    run("fetch", URL, "-o", tmp_path, "--arch", "x86_64", "--build", "1")
    meta = json.loads((path / "meta.json").read_text())
    assert (meta["amis"][0]["hvm"], meta["images"]["qemu"]) == ("ami-1", entry)


def test_a_fetch_leaves_the_entries_of_files_that_are_here(
    s3: Any,  # noqa: ANN401
    bucket: Bucket,
    tmp_path: Path,
) -> None:
    path = make_build(tmp_path, "1")
    push(tmp_path, bucket)
    there = stored_json(s3, "1/x86_64/meta.json")
    there["coreos-assembler.meta-stamp"] += 10**15
    s3.put_object(Bucket="art", Key=f"{PREFIX}/1/x86_64/meta.json", Body=json.dumps(there).encode())
    entry = repacked(tmp_path, "new.gz")
    run("fetch", URL, "-o", tmp_path, "--arch", "x86_64")
    assert json.loads((path / "meta.json").read_text())["images"]["qemu"] == entry
    assert build_states(tmp_path)[0].complete


def test_another_build_under_the_same_id_is_refused_in_both_directions(
    s3: Any,  # noqa: ANN401
    bucket: Bucket,
    tmp_path: Path,
) -> None:
    make_build(tmp_path / "ours", "1")
    push(tmp_path / "ours", bucket)
    path = make_build(tmp_path / "other", "1")
    meta = json.loads((path / "meta.json").read_text())
    (path / "meta.json").write_text(json.dumps({**meta, "ostree-commit": "e" * 64}))
    before = {key: content(s3, key) for key in keys(s3)}
    assert failing("push", URL, "-o", tmp_path / "other", "--force") == "build-conflict"
    assert {key: content(s3, key) for key in keys(s3)} == before
    words = ("fetch", URL, "-o", tmp_path / "other", "--arch", "x86_64", "--artifact", "all")
    assert failing(*words) == "build-conflict"
    assert json.loads((path / "meta.json").read_text())["ostree-commit"] == "e" * 64


def between(monkeypatch: pytest.MonkeyPatch, key: str, work: Callable[[], object]) -> None:
    """Have the work done once, right after that key was read and before what comes of it is written."""
    read = Bucket.read
    done: list[str] = []

    def reading(self: Bucket, name: str, **options: bool) -> object:
        found = read(self, name, **options)
        if name == key and not done:
            done.append(name)
            work()
        return found

    monkeypatch.setattr(Bucket, "read", reading)


def test_a_pusher_that_comes_in_between_loses_nothing(
    s3: Any,  # noqa: ANN401
    bucket: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_build(tmp_path / "a", "1", X86)
    make_build(tmp_path / "b", "1", Arch.S390X)
    between(monkeypatch, "builds.json", lambda: push(tmp_path / "b", bucket, Arch.S390X))
    push(tmp_path / "a", bucket)
    assert set(stored_json(s3, "builds.json")["builds"][0]["arches"]) == {"x86_64", "s390x"}
    consistent(s3)


def test_a_pusher_of_other_artifacts_of_the_same_build_loses_nothing(
    s3: Any,  # noqa: ANN401
    bucket: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_build(tmp_path / "a", "1")
    make_build(tmp_path / "b", "1")
    meta = MetaFile(tmp_path / "b" / "1" / "x86_64" / "meta.json")
    meta.merge({"summary": "of b"})
    upload = Bucket.upload
    done: list[int] = []

    def uploading(self: Bucket, *words: Any) -> None:  # noqa: ANN401
        upload(self, *words)
        if not done:
            done.append(1)
            push(tmp_path / "b", bucket, artifacts=["qemu"])

    monkeypatch.setattr(Bucket, "upload", uploading)
    push(tmp_path / "a", bucket, artifacts=["ostree", "oci-manifest"])
    after = stored_json(s3, "1/x86_64/meta.json")
    assert set(after["images"]) == {"ostree", "oci-manifest", "qemu"}
    assert after["summary"] == "of b"
    consistent(s3)


def test_pushers_side_by_side(s3: Any, endpoint: str, tmp_path: Path) -> None:  # noqa: ANN401
    for arch in Arch:
        make_build(tmp_path / arch, "1", arch)
    errors: list[BaseException] = []

    def work(arch: Arch) -> None:
        try:
            push(tmp_path / arch, Bucket(Place("art", PREFIX, endpoint)), arch)
        except BaseException as error:  # noqa: BLE001 - for the main thread to show
            errors.append(error)

    threads = [threading.Thread(target=work, args=(arch,)) for arch in Arch]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert set(stored_json(s3, "builds.json")["builds"][0]["arches"]) == set(Arch)
    consistent(s3)


def test_a_server_without_conditions_is_written_and_read_back(
    s3: Any,  # noqa: ANN401
    bucket: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_build(tmp_path, "1")
    put = bucket._client.put_object

    def without(**words: Any) -> Any:  # noqa: ANN401
        if {"IfMatch", "IfNoneMatch"} & set(words):
            raise ClientError({"Error": {"Code": "NotImplemented"}}, "PutObject")
        return put(**words)

    monkeypatch.setattr(bucket._client, "put_object", without)
    push(tmp_path, bucket)
    consistent(s3)
    assert stored_json(s3, "builds.json")["builds"]


KILLED = """
import os, signal, sys
from pathlib import Path
from bootimg.builds.bucket.tree import Bucket
left = int(sys.argv[1])
def counted(function):
    def call(*words, **more):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return function(*words, **more)
    return call
Bucket.upload, Bucket.put = counted(Bucket.upload), counted(Bucket.put)
from bootimg.__main__ import main
sys.exit(main(sys.argv[2:]))
"""


PUSH_WRITES = range(3 + 1 + 1)
"""What a push of a build writes: its files, its meta.json and builds.json."""


def test_a_push_killed_before_its_last_writes_is_gone_on_with(s3: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """tests/integration/builds/test_killed_builds.py kills it before each of its writes."""
    push_killed_before(PUSH_WRITES[-2:], s3, tmp_path)


def push_killed_before(writes: Sequence[int], s3: Any, builds: Path) -> None:  # noqa: ANN401
    """Push a build in a process that is killed before each of these writes; the last is builds.json's."""
    make_build(builds, "1")
    make_build(builds, "2")
    run("push", URL, "-o", builds, "--build", "1")
    words = ["builds", "push", URL, "-o", str(builds), "--build", "2", "--json"]
    for number in writes:
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(number), *words], env=os.environ, capture_output=True
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        consistent(s3)
        assert stored_json(s3, "builds.json")["builds"] == [{"id": "1", "arches": ["x86_64"]}]
        sent = [key for key in keys(s3) if key.startswith("2/")]
        assert len(sent) == number
        if number != PUSH_WRITES[-1]:
            for key in sent:
                s3.delete_object(Bucket="art", Key=f"{PREFIX}/{key}")
    moved = {each["key"]: each["moved"] for each in json.loads(run(*words[1:]))["files"]}
    assert set(moved.values()) == {False}
    assert [each["id"] for each in stored_json(s3, "builds.json")["builds"]] == ["2", "1"]
    consistent(s3)


def test_a_connection_that_breaks_off_is_gone_on_with(
    s3: Any,  # noqa: ANN401
    bucket: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from botocore.exceptions import ResponseStreamingError

    data = os.urandom(10_000)
    s3.put_object(Bucket="art", Key=f"{PREFIX}/big", Body=data)
    get, asked = bucket._client.get_object, []

    class Breaking:
        def __init__(self, body: Any) -> None:  # noqa: ANN401
            self.body = body

        def iter_chunks(self, _: int) -> Iterator[bytes]:
            yield self.body.read(3000)
            raise ResponseStreamingError(error="connection reset")

    def getting(**words: Any) -> Any:  # noqa: ANN401
        found = get(**words)
        asked.append(words.get("Range"))
        return {**found, "Body": Breaking(found["Body"])} if len(asked) < 4 else found

    monkeypatch.setattr(bucket._client, "get_object", getting)
    wanted = buckets.Head(len(data), hashlib.sha256(data).hexdigest())
    bucket.download("big", tmp_path / "big", wanted, lambda _: None)
    assert (tmp_path / "big").read_bytes() == data
    assert asked == [None, "bytes=3000-", "bytes=6000-", "bytes=9000-"]


def test_a_boto3_without_conditions_is_refused(s3: object, monkeypatch: pytest.MonkeyPatch) -> None:
    client = boto3.client("s3")
    operation = client.meta.service_model.operation_model("PutObject")
    members = {name: shape for name, shape in operation.input_shape.members.items() if name != "IfMatch"}
    monkeypatch.setattr(type(operation.input_shape), "members", members)
    with pytest.raises(BootimgError) as caught:
        Bucket(Place("art"))
    assert caught.value.id == "boto3-too-old"


def test_a_bucket_that_is_missing(s3: Any, tmp_path: Path) -> None:  # noqa: ANN401
    make_build(tmp_path, "1")
    assert failing("push", "s3://none-such/x", "-o", tmp_path) == "bucket-missing"
    assert failing("fetch", "s3://none-such/x", "-o", tmp_path / "t") == "bucket-missing"
    assert not (tmp_path / "t" / "builds.json").exists()


def test_a_server_that_does_not_answer(s3: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_build(tmp_path, "1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    words = ("-o", tmp_path, "--endpoint-url", "http://127.0.0.1:9")
    assert failing("push", URL, *words) == "bucket-unreachable"
    assert failing("fetch", URL, *words) == "bucket-unreachable"


def test_no_credentials(s3: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_build(tmp_path, "1")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert failing("push", URL, "-o", tmp_path) == "bucket-credentials-missing"
    monkeypatch.setenv("AWS_PROFILE", "none-such")
    assert failing("push", URL, "-o", tmp_path) == "bucket-credentials-missing"


def test_a_public_bucket_is_read_without_credentials(
    s3: Any,  # noqa: ANN401
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_build(tmp_path / "ours", "1")
    run("push", URL, "-o", tmp_path / "ours", "--acl", "public-read")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    run("fetch", URL, "-o", tmp_path / "theirs", "--arch", "all", "--no-sign-request",
        "--artifact", "qemu")  # fmt: skip
    assert find_build(tmp_path / "theirs", "1", X86).id == "1"


def test_what_the_server_denies_is_no_crash(
    s3: Any,  # noqa: ANN401
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def denying(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")

    for name in ("get_object", "head_object", "put_object"):
        monkeypatch.setattr(bucket._client, name, denying)
    for work in (lambda: bucket.read("a"), lambda: bucket.head("a"), lambda: bucket.put("a", b"", None)):
        with pytest.raises(BootimgError) as caught:
            work()
        assert caught.value.id == "bucket-refused"
    assert bucket.read("a", optional=True) is None
    assert bucket.head("a", optional=True) is None


@pytest.mark.parametrize(
    "cleanup", [{"images-kept": ["qemu"]}, {"cloud-uploads": True, "images": True, "images-kept": ["qemu"]}]
)
def test_what_a_policy_has_removed_is_not_missing(
    s3: Any,  # noqa: ANN401
    bucket: Bucket,
    tmp_path: Path,
    cleanup: dict[str, Any],
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    path = make_build(ours, "1")
    push(ours, bucket)
    images = json.loads((path / "meta.json").read_text())["images"]
    gone = {key: entry["path"] for key, entry in images.items() if key != "qemu"}
    assert len(gone) > 1
    words = ("-o", theirs, "--arch", "x86_64", "--artifact")
    for name in gone.values():
        s3.delete_object(Bucket="art", Key=f"{PREFIX}/1/x86_64/{name}")
    assert failing("fetch", URL, *words, "all") != "artifact-removed"
    index = stored_json(s3, "builds.json")
    index["builds"][0]["policy-cleanup"] = cleanup
    index["tombstone-builds"] = [{"id": "0"}]
    s3.put_object(Bucket="art", Key=f"{PREFIX}/builds.json", Body=json.dumps(index).encode())
    run("fetch", URL, *words, "all")
    assert (theirs / "1/x86_64" / images["qemu"]["path"]).is_file()
    (state,) = build_states(theirs)
    assert {each.key for each in state.arches[0].artifacts if each.state is FileState.REMOVED} == {*gone}
    assert state.complete
    assert f"{len(gone)} removed by policy" in run("list", "-o", theirs, "--check")
    assert "removed" in run("show", "-o", theirs)
    assert failing("fetch", URL, *words, next(iter(gone))) == "artifact-removed"
    build = find_build(theirs, "1", X86)
    assert not [each for each in artifact_findings(build, Events()) if each.rule is Rule.ARTIFACT_GONE]
    assert failing("fetch", URL, *words, "all", "--build", "0") == "build-not-found"


@pytest.mark.parametrize("words", [["--build", "9"], ["--arch", "s390x"]])
def test_a_build_that_the_bucket_does_not_have(
    s3: Any,  # noqa: ANN401
    bucket: Bucket,
    tmp_path: Path,
    words: list[str],
) -> None:
    make_build(tmp_path / "ours", "1")
    push(tmp_path / "ours", bucket)
    assert failing("fetch", URL, "-o", tmp_path / "theirs", *words) == "build-not-found"
    assert not (tmp_path / "theirs").exists()


def test_an_empty_bucket_has_no_builds(s3: object, tmp_path: Path) -> None:
    assert failing("fetch", URL, "-o", tmp_path) == "build-not-found"


def test_an_old_build_goes_behind_the_newer_ones(s3: object, bucket: Bucket, tmp_path: Path) -> None:
    for number in "123":
        make_build(tmp_path / "ours", number)
    for number in "321":
        run("push", URL, "-o", tmp_path / "ours", "--build", number)
    for number in "213":
        run("fetch", URL, "-o", tmp_path / "theirs", "--build", number, "--arch", "all")
    assert [each["id"] for each in read_index(tmp_path / "theirs")["builds"]] == ["3", "2", "1"]
    assert find_build(tmp_path / "theirs", "latest", X86).id == "3"


BAD_META = [
    b"{", b"[]", b'{"images": []}', b'{"images": {"qemu": "x"}}',
    b'{"images": {"qemu": {"path": "../x", "sha256": "0"}}}',
    b'{"images": {"qemu": {"path": "x", "sha256": 1}}}',
    b'{"images": {"qemu": {"path": "x", "sha256": "0", "size": "1"}}}',
    b'{"images": {"qemu": {"path": "x", "sha256": "0"}, "metal": {"path": "x", "sha256": "1"}}}',
    *(b'{"images": {"qemu": {"path": "%s", "sha256": "0"}}}' % name for name in (
        b"meta.json", b"bootimg.json", b"builds.json", b"commitmeta.json", b".build.lock", b".meta.json.lock",
        b".bootimg-journal.ndjson", b"a/b", b"meta.json.gz", b"bootimg.json.xz", b"x.sig", b"x.sig.zst",
        b"rhcos-1-sbom.x86_64.spdx.json", b"latest",
    )),
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_META)
def test_a_malformed_meta_json_in_the_bucket(s3: Any, bucket: Bucket, tmp_path: Path, text: bytes) -> None:  # noqa: ANN401
    make_build(tmp_path / "ours", "1")
    push(tmp_path / "ours", bucket)
    s3.put_object(Bucket="art", Key=f"{PREFIX}/1/x86_64/meta.json", Body=text)
    words = ("fetch", URL, "-o", tmp_path / "theirs", "--arch", "x86_64", "--artifact", "qemu")
    assert failing(*words) == "build-meta-malformed"
    assert not (tmp_path / "theirs" / "builds.json").exists()


@pytest.mark.parametrize("text", BAD_META)
def test_a_meta_json_that_would_replace_other_files_is_not_pushed(
    s3: Any,  # noqa: ANN401
    tmp_path: Path,
    text: bytes,
) -> None:
    (make_build(tmp_path, "1") / "meta.json").write_bytes(text)
    assert failing("push", URL, "-o", tmp_path, "--arch", "x86_64") == "build-meta-malformed"
    assert not keys(s3)


def test_a_fetch_does_not_replace_the_file_of_another_image_that_is_here(
    s3: Any,  # noqa: ANN401
    bucket: Bucket,
    tmp_path: Path,
) -> None:
    make_build(tmp_path / "ours", "1")
    push(tmp_path / "ours", bucket)
    words = ("fetch", URL, "-o", tmp_path / "theirs", "--arch", "x86_64", "--artifact")
    assert run(*words, "qemu")
    folder = tmp_path / "theirs" / "1" / "x86_64"
    (path,) = (each for each in folder.iterdir() if "-qemu." in each.name)
    before = path.read_bytes()
    there = {"path": path.name, "sha256": hashlib.sha256(b"evil").hexdigest(), "size": 4}
    meta = json.loads(content(s3, "1/x86_64/meta.json"))
    text = json.dumps({**meta, "images": {"evil": there}}).encode()
    s3.put_object(Bucket="art", Key=f"{PREFIX}/1/x86_64/meta.json", Body=text)
    s3.put_object(Bucket="art", Key=f"{PREFIX}/1/x86_64/{path.name}", Body=b"evil")
    assert failing(*words, "evil") == "build-meta-malformed"
    assert path.read_bytes() == before


def test_keys_are_plain_and_urls_of_them_quoted(s3: Any, endpoint: str, tmp_path: Path) -> None:  # noqa: ANN401
    build_id = "1+a^b~c@d:e"
    make_build(tmp_path, build_id)
    push(tmp_path, Bucket(parse_place(URL, endpoint=endpoint), acl="public-read"))
    key = f"{build_id}/x86_64/meta.json"
    assert key in keys(s3)
    with urllib.request.urlopen(joined(f"{endpoint}/art/{PREFIX}", key)) as found:
        assert json.loads(found.read())["buildid"] == build_id


def test_a_build_is_not_called_as_the_list_of_builds(s3: Any, tmp_path: Path) -> None:  # noqa: ANN401
    index = {"schema-version": "1.0.0", "builds": [{"id": "builds.json", "arches": ["x86_64"]}]}
    s3.put_object(Bucket="art", Key=f"{PREFIX}/builds.json", Body=json.dumps(index).encode())
    assert failing("fetch", URL, "-o", tmp_path / "theirs") == "build-meta-malformed"


def test_metadata_is_not_read_without_end(s3: Any, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    s3.put_object(Bucket="art", Key=f"{PREFIX}/builds.json", Body=b" " * 2000)
    monkeypatch.setattr(buckets, "_LIMIT", 1000)
    with pytest.raises(BootimgError) as caught:
        fetch_build(Path("/nowhere"), bucket, Wanted("latest", ()), Events())
    assert caught.value.id == "build-meta-malformed"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://art/a/b", Place("art", "a/b")),
        ("art/a/b/", Place("art", "a/b")),
        ("s3://art", Place("art", "")),
        ("s3://art/", Place("art", "")),
    ],
)
def test_places(url: str, place: Place) -> None:
    assert parse_place(url) == place


@pytest.mark.parametrize(
    "url",
    ["", "s3://", "https://x/y", "s3://UPPER/x", "s3://a", "s3://art/../x", "s3://art/a//b", "s3://a b/c"],
)
def test_what_is_no_place(url: str) -> None:
    with pytest.raises(BootimgError) as caught:
        parse_place(url)
    assert caught.value.id == "bucket-url-invalid"


@pytest.mark.parametrize("endpoint", ["ftp://x", "x", "https://user:secret@x", "http://["])
def test_an_endpoint_that_is_none_and_never_shown(endpoint: str) -> None:
    with pytest.raises(BootimgError) as caught:
        parse_place("s3://art/x", endpoint=endpoint)
    assert caught.value.id == "bucket-url-invalid"
    assert "secret" not in str(caught.value.as_dict())


def test_without_boto3_it_says_so_and_other_verbs_do_not_import_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['boto3'] = None\n"
        "from bootimg.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    make_build(tmp_path, "1")

    def program(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)

    done = program("builds", "push", URL, "-o", str(tmp_path))
    assert (done.returncode, done.stdout) == (ExitCode.ENVIRONMENT, "")
    assert "bootimg[s3]" in done.stderr
    assert program("builds", "list", "-o", str(tmp_path)).returncode == ExitCode.OK
    for words in ("['--help']", "['platforms']", "['builds', 'push', '--help']", "['builds', 'list']"):
        shown = subprocess.run(
            [sys.executable, "-c",
             f"import sys; from bootimg.__main__ import main; main({words}); print(*sys.modules)"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert not {"boto3", "botocore", "s3transfer"} & set(shown.splitlines()[-1].split())

"""releases.json: what is listed stays, what comes is added at the end, whoever else writes."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootimg.__main__ import main
from bootimg.errors import BootimgError, ExitCode
from bootimg.streams.metadata.buildmeta import built
from bootimg.streams.metadata.releaseindex import (
    Index,
    IndexCommit,
    IndexImage,
    IndexRelease,
    index_release,
    parse_index,
    with_release,
)
from bootimg.streams.metadata.releases import Published, release_of
from bootimg.streams.metadata.stream import Metadata
from tests.support.builds import streams

boto3 = pytest.importorskip("boto3")
moto = pytest.importorskip("moto.server")

Capture = pytest.CaptureFixture[str]
NEWER = "9.8.20260501-0"
PUBLISHED = Published(streams.BASE, streams.STREAM)
NOW = Metadata("2026-04-28T22:40:00Z")
DIGEST = f"sha256:{'1' * 64}"
PUSHED = {"base-oscontainer": {"image": "quay.io/a/b", "digest": DIGEST, "tags": ["9.8"]}}


def released(version: str = streams.VERSION, arches: tuple[str, ...] = ("x86_64",)) -> IndexRelease:
    builds = [built(streams.meta(arch, version) | PUSHED, arch) for arch in arches]
    return index_release(release_of(builds, PUBLISHED), PUBLISHED)


def listed(*releases: IndexRelease) -> Index:
    index = parse_index(b"{}", "releases.json", streams.STREAM)
    for each in releases:
        index = with_release(index, streams.STREAM, each, NOW)
    return index


def test_a_release_names_its_metadata_and_containers() -> None:
    release = released(arches=("x86_64", "aarch64"))
    assert [each.architecture for each in release.oci_images] == ["aarch64", "x86_64"]
    assert release.oci_images[0].digest_ref == f"quay.io/a/b@{DIGEST}"
    where = f"{streams.BASE}/{streams.STREAM}/builds/{streams.VERSION}/release.json"
    assert release.metadata_url == where


def test_a_release_whose_layer_was_not_pushed_is_listed_without_container() -> None:
    build = built(streams.meta("x86_64"), "meta.json")
    assert not index_release(release_of([build], PUBLISHED), PUBLISHED).oci_images


def test_the_file_is_what_plume_writes() -> None:
    release = IndexRelease(
        commits=(IndexCommit("x86_64", "ab"),),
        oci_images=(IndexImage("i<", "d", "x86_64"),),
        version="1",
        metadata_url="u",
    )
    assert Index("n", (release,), NOW, "s").encoded() == (
        b'{"note":"n","releases":[{"commits":[{"architecture":"x86_64","checksum":"ab"}],'
        b'"oci-images":[{"image":"i\\u003c","digest-ref":"d","architecture":"x86_64"}],'
        b'"version":"1","metadata":"u"}],"metadata":{"last-modified":"2026-04-28T22:40:00Z"},"stream":"s"}'
    )


def test_it_reads_back() -> None:
    index = listed(released(), released(NEWER))
    assert parse_index(index.encoded(), "releases.json", "") == index


def test_a_newer_release_comes_last() -> None:
    assert [each.version for each in listed(released(), released(NEWER)).releases] == [streams.VERSION, NEWER]


def test_the_newest_release_is_not_listed_twice() -> None:
    index = listed(released())
    assert with_release(index, streams.STREAM, released(), Metadata("later")) is index


def test_a_release_is_listed_again_after_a_newer_one() -> None:
    index = listed(released(), released(NEWER))
    assert with_release(index, streams.STREAM, released(), Metadata("later")) is index


def test_the_newest_release_gets_its_other_architectures() -> None:
    index = listed(released(), released(arches=("x86_64", "aarch64")))
    assert len(index.releases) == 1
    assert len(index.releases[0].oci_images) == 2


@pytest.mark.parametrize(
    ("before", "release", "stream", "words"),
    [
        (
            (released(), released(NEWER)),
            released(arches=("x86_64", "aarch64")),
            streams.STREAM,
            "not the newest",
        ),
        ((released(arches=("x86_64", "aarch64")),), released(), streams.STREAM, "do not have"),
        ((released(),), released(NEWER), "rhel-10.0", "the index belongs to rhel-9.8"),
    ],
)
def test_what_is_listed_is_never_lost(
    before: tuple[IndexRelease, ...], release: IndexRelease, stream: str, words: str
) -> None:
    with pytest.raises(BootimgError, match=words) as caught:
        with_release(listed(*before), stream, release, NOW)
    assert caught.value.id == "release-index-conflict"


ANY_RELEASE = st.builds(
    IndexRelease,
    commits=st.lists(st.builds(IndexCommit, st.sampled_from("ab"), st.sampled_from("12")), max_size=2).map(
        tuple
    ),
    version=st.sampled_from("123"),
    metadata_url=st.just("u"),
)


@given(st.lists(ANY_RELEASE, max_size=6))
def test_no_order_of_releases_loses_any(releases: list[IndexRelease]) -> None:
    index = parse_index(b"{}", "releases.json", "s")
    for each in releases:
        try:
            after = with_release(index, "s", each, NOW)
        except BootimgError:
            continue
        assert [each.version for each in after.releases][: len(index.releases)] == [
            each.version for each in index.releases
        ]
        assert all(new.extends(old) for new, old in zip(after.releases, index.releases, strict=False))
        index = after
    assert len({each.version for each in index.releases}) == len(index.releases)


@pytest.mark.parametrize(
    "data", [b"[]", b"{", b'{"releases": 3}', b'{"releases": [], "note": "", "stream": ""}']
)
def test_a_file_that_is_no_index(data: bytes) -> None:
    with pytest.raises(BootimgError) as caught:
        parse_index(data, "releases.json", "s")
    assert caught.value.id == "stream-malformed"


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1777416000")
    return streams.write_builds(tmp_path / "builds", changes=PUSHED)


def said(capsys: Capture, *words: object) -> dict[str, Any]:
    assert main(["stream", "index", *map(str, words), "--json"]) == ExitCode.OK
    return dict(json.loads(capsys.readouterr().out))


def test_the_command_lists_a_build_in_a_file(builds: Path, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "releases.json"
    words = ["-o", builds, "--target", file]
    assert said(capsys, *words, "--dry-run")["changed"]
    assert not file.exists()
    assert said(capsys, *words) == {
        "path": str(file), "release": streams.VERSION, "releases": 1, "changed": True, "dry-run": False,
    }  # fmt: skip
    data = file.read_bytes()
    assert len(parse_index(data, "releases.json", "").releases[0].oci_images) == len(streams.IMAGES)
    assert not said(capsys, *words)["changed"]
    assert file.read_bytes() == data
    assert main(["stream", "index", *map(str, words), f"x86_64={streams.VERSION}"]) == ExitCode.USAGE
    assert "release-index-conflict" in capsys.readouterr().err
    assert file.read_bytes() == data


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server of S3 on the loopback interface."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/reset", data=b"").close()
    server.stop()


def test_the_command_lists_a_build_in_a_bucket(
    builds: Path, endpoint: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bootimg.builds.bucket.tree import Bucket

    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket="art")
    words = ["-o", builds, "--target", "s3://art/streams/rhel-9.8/releases.json", "--endpoint-url", endpoint]
    read = Bucket.read

    def read_and_be_slow(bucket: Bucket, key: str) -> Any:  # noqa: ANN401
        """Another writer lists an older release between our reading and our writing, once."""
        monkeypatch.setattr(Bucket, "read", read)
        found = read(bucket, key)
        other = listed(IndexRelease(version="9.8.20260101-0", metadata_url="u")).encoded()
        client.put_object(Bucket="art", Key="streams/rhel-9.8/releases.json", Body=other)
        return found

    monkeypatch.setattr(Bucket, "read", read_and_be_slow)
    assert said(capsys, *words)["releases"] == 2
    there = client.get_object(Bucket="art", Key="streams/rhel-9.8/releases.json")
    versions = [each.version for each in parse_index(there["Body"].read(), "there", "").releases]
    assert versions == ["9.8.20260101-0", streams.VERSION]
    assert (there["ContentType"], there["CacheControl"]) == ("application/json", "max-age=300")
    assert not said(capsys, *words)["changed"]

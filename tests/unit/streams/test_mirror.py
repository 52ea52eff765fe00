"""`bootimg stream mirror`: copies are what the stream says, whole or not there, and a stream names them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootimg.__main__ import main
from bootimg.errors import BootimgError, ExitCode
from bootimg.streams.metadata.buildmeta import built
from bootimg.streams.metadata.bump import stream_of
from bootimg.streams.metadata.mirror import Chosen, at, chosen_files, file_name
from bootimg.streams.metadata.releases import Published
from bootimg.streams.metadata.stream import (
    ImageFormat,
    Metadata,
    Stream,
    StreamArtifact,
    read_stream,
    write_stream,
)
from tests.support.builds import streams

Capture = pytest.CaptureFixture[str]


def stream_at(base: str) -> Stream:
    builds = [built(streams.meta(arch), arch) for arch in streams.IMAGES]
    return stream_of(builds, Published(base, streams.STREAM), Metadata("2026-04-28T22:40:00Z"))


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Path]:
    """A stream's file, and a server with all that it names; the server's folder is `served`."""
    folder = tmp_path / "served"
    streams.write_builds(folder / streams.STREAM / "builds", files=True)
    with streams.served(folder) as url:
        file = tmp_path / "rhel-9.8.json"
        write_stream(file, stream_at(url))
        yield file


def mirror(capsys: Capture, *words: object) -> dict[str, Any]:
    assert main(["stream", "mirror", *map(str, words), "--json"]) == ExitCode.OK, capsys.readouterr().err
    return dict(json.loads(capsys.readouterr().out))


def test_files_and_signatures_are_copied_and_not_again(source: Path, tmp_path: Path, capsys: Capture) -> None:
    into = tmp_path / "mirror"
    words = [source, "--into", into, "--arch", "x86_64", "-p", "qemu,metal"]
    done = mirror(capsys, *words)
    assert done["stream"] is None
    assert {Path(each["path"]).name for each in done["files"]} == {each.name for each in into.iterdir()}
    named = chosen_files(read_stream(source), Chosen(["x86_64"], ["qemu", "metal"]))
    assert len(named) == 7
    assert {each.name for each in into.iterdir()} == {*named, *(f"{name}.sig" for name in named)}
    for name, artifact in named.items():
        assert hashlib.sha256((into / name).read_bytes()).hexdigest() == artifact.sha256
    again = mirror(capsys, *words)
    assert {Path(each["path"]).name for each in again["files"] if each["moved"]} == {
        f"{name}.sig" for name in named
    }


def test_what_is_there_and_damaged_is_copied_again(source: Path, tmp_path: Path, capsys: Capture) -> None:
    words = [source, "--into", tmp_path / "mirror", "--arch", "x86_64", "-p", "qemu"]
    (first, _) = mirror(capsys, *words)["files"]
    good = Path(first["path"]).read_bytes()
    Path(first["path"]).write_bytes(good[:-1])
    assert mirror(capsys, *words)["files"][0]["moved"]
    assert Path(first["path"]).read_bytes() == good


def test_a_file_that_is_another_is_refused_and_not_kept(
    source: Path, tmp_path: Path, capsys: Capture
) -> None:
    for path in (tmp_path / "served").rglob("*-qemu.x86_64.*"):
        path.write_bytes(b"please log in")
    into = tmp_path / "mirror"
    words = [str(source), "--into", str(into), "--arch", "x86_64", "-p", "qemu"]
    assert main(["stream", "mirror", *words]) == ExitCode.FAILED
    assert "download-damaged" in capsys.readouterr().err
    assert not list(into.iterdir())


def test_the_stream_of_the_copies(source: Path, tmp_path: Path, capsys: Capture) -> None:
    into = tmp_path / "mirror"
    with streams.served(into) as url:
        done = mirror(capsys, source, "--into", into, "--arch", "s390x", "--url", f"{url}/")
        there = read_stream(Path(done["stream"]))
        assert into / f"{streams.STREAM}.json" == Path(done["stream"])
        for artifact in chosen_files(there, Chosen(["s390x"])).values():
            assert artifact.location.startswith(f"{url}/rhcos-")
            assert artifact.signature == f"{artifact.location}.sig"
        assert mirror(
            capsys, into / f"{streams.STREAM}.json", "--into", tmp_path / "other", "--arch", "s390x"
        )
    before = read_stream(source)
    assert there.architectures["x86_64"] == before.architectures["x86_64"]
    assert replace(there, architectures={}) == replace(before, architectures={})


def test_a_dry_run_says_what_would_be_copied(source: Path, tmp_path: Path, capsys: Capture) -> None:
    done = mirror(capsys, source, "--into", tmp_path / "mirror", "-p", "kubevirt", "--dry-run")
    assert [name.rpartition(".")[2] for name in done["files"]] == ["ociarchive", "ociarchive"]
    assert not (tmp_path / "mirror").exists()


@pytest.mark.parametrize(
    "chosen", [Chosen(platforms=["hetzner"]), Chosen(["s390x"], ["aws"]), Chosen(["arm"])]
)
def test_what_the_stream_does_not_have_is_refused(chosen: Chosen) -> None:
    with pytest.raises(BootimgError) as caught:
        chosen_files(stream_at("https://a"), chosen)
    assert caught.value.id == "stream-argument-invalid"


@pytest.mark.parametrize(
    "location", ["https://a/b/", "https://a/b/..", "https://a/..%2fb", "https://a/.hidden", "https://a/x%00y"]
)
def test_a_location_without_a_name_is_refused(location: str) -> None:
    with pytest.raises(BootimgError) as caught:
        file_name(location)
    assert caught.value.id == "stream-malformed"


def test_two_files_of_one_name_are_refused() -> None:
    stream = at(stream_at("https://a"), Chosen(), "https://b")
    aarch64, x86 = (stream.architectures[arch].artifacts["qemu"] for arch in ("aarch64", "x86_64"))
    disk = StreamArtifact(location="https://c/same", sha256="1" * 64)
    formats = {"qcow2.gz": replace(x86.formats["qcow2.gz"], disk=disk)}
    other = {"qcow2.gz": replace(aarch64.formats["qcow2.gz"], disk=replace(disk, sha256="2" * 64))}
    arches = {
        "x86_64": replace(stream.architectures["x86_64"], artifacts={"qemu": replace(x86, formats=formats)}),
        "aarch64": replace(
            stream.architectures["aarch64"], artifacts={"qemu": replace(aarch64, formats=other)}
        ),
    }
    with pytest.raises(BootimgError, match="two different files have the name same"):
        chosen_files(replace(stream, architectures=arches), Chosen())


def with_disk(arch: str, disk: StreamArtifact, stream: Stream) -> Stream:
    """The stream with another qemu image for an architecture."""
    found = stream.architectures[arch]
    qemu = replace(found.artifacts["qemu"], formats={"qcow2.gz": ImageFormat(disk)})
    changed = replace(found, artifacts={**found.artifacts, "qemu": qemu})
    return replace(stream, architectures={**stream.architectures, arch: changed})


X86, AARCH64 = (StreamArtifact(location=f"https://a/{each}", sha256=each * 64) for each in "12")


@pytest.mark.parametrize(
    ("x86", "aarch64"),
    [
        (X86, replace(AARCH64, signature="https://a/1")),
        (replace(X86, signature="https://a/1"), AARCH64),
        (replace(X86, signature="https://evil/%32"), AARCH64),
        (replace(X86, signature="https://a/s.sig"), replace(AARCH64, signature="https://b/s.sig")),
        (replace(X86, signature="https://a/1.sig"), replace(X86, signature="https://a/2.sig")),
        (replace(X86, location="https://a/2"), AARCH64),
        (replace(X86, location=f"https://a/{streams.STREAM}.json"), AARCH64),
        (replace(X86, signature=f"https://a/{streams.STREAM}.json"), AARCH64),
    ],
)
def test_no_file_or_signature_takes_the_name_of_another(x86: StreamArtifact, aarch64: StreamArtifact) -> None:
    stream = with_disk("aarch64", aarch64, with_disk("x86_64", x86, stream_at("https://a")))
    with pytest.raises(BootimgError, match="two different files have the name") as caught:
        chosen_files(stream, Chosen(platforms=["qemu"]), f"{streams.STREAM}.json")
    assert caught.value.id == "stream-malformed"


def test_one_file_of_two_architectures_is_one_file_with_its_signature() -> None:
    signed = replace(X86, signature="https://a/1.sig")
    stream = with_disk("aarch64", signed, with_disk("x86_64", X86, stream_at("https://a")))
    found = chosen_files(stream, Chosen(["x86_64", "aarch64"], ["qemu"]))
    assert found == {"1": signed}


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_signature_that_would_replace_a_verified_file_stops_all(
    source: Path, tmp_path: Path, capsys: Capture, dry: list[str]
) -> None:
    stream = read_stream(source)
    other = chosen_files(stream, Chosen(["x86_64"], ["metal"]))
    iso = next(name for name in other if name.endswith(".iso"))
    disk = stream.architectures["x86_64"].artifacts["qemu"].formats["qcow2.gz"].disk
    assert disk is not None and disk.signature is not None
    write_stream(source, with_disk("x86_64", replace(disk, signature=f"{disk.signature}/../{iso}"), stream))
    into = tmp_path / "mirror"
    words = [str(source), "--into", str(into), "--arch", "x86_64", "-p", "qemu,metal", *dry]
    assert main(["stream", "mirror", *words]) == ExitCode.USAGE
    assert "stream-malformed" in capsys.readouterr().err
    assert not into.exists()


def test_names_that_urls_quote_are_plain_in_the_folder(tmp_path: Path, capsys: Capture) -> None:
    version = "9.8+a^b~c@d:e"
    folder = tmp_path / "served"
    streams.write_builds(folder / streams.STREAM / "builds", version, files=True)
    into, file = tmp_path / "mirror", tmp_path / "stream.json"
    with streams.served(folder) as url, streams.served(into) as mirrored:
        builds = [built(streams.meta(arch, version), arch) for arch in streams.IMAGES]
        stream = stream_of(builds, Published(url, streams.STREAM), Metadata("2026-04-28T22:40:00Z"))
        write_stream(file, stream)
        assert b"9.8%2Ba%5Eb~c%40d%3Ae/s390x/rhcos-9.8%2Ba%5Eb~c%40d%3Ae-qemu.s390x" in file.read_bytes()
        done = mirror(capsys, file, "--into", into, "--arch", "s390x", "-p", "qemu", "--url", mirrored)
        assert (into / f"rhcos-{version}-qemu.s390x.qcow2.gz").is_file()
        # What the stream of the copies names is there, and is read back by the same rule.
        assert mirror(capsys, done["stream"], "--into", tmp_path / "o", "--arch", "s390x", "-p", "qemu")

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
from bootimg.streams.buildmeta import built
from bootimg.streams.bump import stream_of
from bootimg.streams.media import Published
from bootimg.streams.mirror import Chosen, at, chosen_files, file_name
from bootimg.streams.stream import Artifact, Metadata, Stream, read_stream, write_stream

from . import streams

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
    disk = Artifact(location="https://c/same", sha256="1" * 64)
    formats = {"qcow2.gz": replace(x86.formats["qcow2.gz"], disk=disk)}
    other = {"qcow2.gz": replace(aarch64.formats["qcow2.gz"], disk=replace(disk, sha256="2" * 64))}
    arches = {
        "x86_64": replace(stream.architectures["x86_64"], artifacts={"qemu": replace(x86, formats=formats)}),
        "aarch64": replace(
            stream.architectures["aarch64"], artifacts={"qemu": replace(aarch64, formats=other)}
        ),
    }
    with pytest.raises(BootimgError, match="two files that differ are called same"):
        chosen_files(replace(stream, architectures=arches), Chosen())

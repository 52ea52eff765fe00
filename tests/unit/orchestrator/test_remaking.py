"""A build that is made again: which of its artifacts can be, and where two images differ."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from bootimg.builds.find import find_build
from bootimg.builds.made import FROM_METAL, Made
from bootimg.checks.builds.rebuildrules import other_programs, record_findings
from bootimg.disk.extents import FileSource
from bootimg.events import Events
from bootimg.orchestrator.remaking.compare import Compared, Remade, compare
from bootimg.orchestrator.remaking.difference import describe_difference, first_difference
from bootimg.orchestrator.request import Artifact
from bootimg.sizes import MIB
from tests.unit.builds.test_meta import X86, make_build


def made(deploy: str = "native", program: str | None = None) -> Made:
    return Made(bootimg=program or version("bootimg"), deploy=deploy, target_imgref="r:x")


@pytest.mark.parametrize(
    ("artifact", "origin", "rules"),
    [
        (made(), made(), []),
        (made(FROM_METAL), made(), []),
        (made(FROM_METAL), made("appliance"), ["rebuild-impossible"]),
        (made(FROM_METAL), None, ["rebuild-impossible"]),
        (made("osbuild"), made("osbuild"), ["rebuild-impossible"]),
        (made(program="0"), made(program="0"), ["rebuild-version"]),
        (made(FROM_METAL), made(program="0"), ["rebuild-version"]),
        (made(FROM_METAL, "00"), made(program="0"), ["rebuild-version", "rebuild-version"]),
    ],
)
def test_what_the_record_must_say(artifact: Made, origin: Made | None, rules: list[str]) -> None:
    assert [each.rule for each in record_findings("qemu", {"qemu": artifact}, origin)] == rules


def test_programs_of_another_version_are_named() -> None:
    """They explain why an ISO has other bytes."""
    before = replace(made(), programs={"sqfstar": "4.6.1 of the layer", "syslinux": "6.04 sha256:1"})
    assert other_programs(before, before) is None
    now = replace(made(), programs={"sqfstar": "4.6.1 of the layer", "syslinux": "6.04 sha256:2"})
    reason = other_programs(before, now)
    assert reason == "made with syslinux 6.04 sha256:1, now with 6.04 sha256:2"
    different = Remade("live-iso", Compared.FILE, "from byte 5 on").because(reason)
    assert different.difference == f"from byte 5 on; {reason}"
    assert Remade("live-iso", Compared.FILE).because(reason).difference is None


def sparse(path: Path, size: int, **pieces: int) -> Path:
    """A file with holes, and a byte at each of these offsets."""
    with path.open("wb") as file:
        file.truncate(size)
        for value, offset in pieces.items():
            file.seek(offset)
            file.write(value.encode())
    return path


@pytest.mark.parametrize(
    ("left", "right", "offset"),
    [
        ({"a": 5 * MIB + 3}, {"a": 5 * MIB + 3}, None),
        ({"a": 5 * MIB + 3}, {"b": 5 * MIB + 3}, 5 * MIB + 3),
        ({"a": 9 * MIB}, {}, 9 * MIB),
        ({}, {"a": 9 * MIB, "b": 2 * MIB + 1}, 2 * MIB + 1),
    ],
)
def test_the_first_byte_that_differs(
    left: dict[str, int], right: dict[str, int], offset: int | None, tmp_path: Path
) -> None:
    paths = [sparse(tmp_path / str(n), 10 * MIB, **each) for n, each in enumerate((left, right))]
    with FileSource(paths[0]) as one, FileSource(paths[1]) as other:
        assert first_difference(one, other) == offset


def test_of_two_lengths_the_end_of_the_shorter_differs(tmp_path: Path) -> None:
    with (
        FileSource(sparse(tmp_path / "1", 3 * MIB, a=10)) as one,
        FileSource(sparse(tmp_path / "2", 4 * MIB, a=10, b=4 * MIB - 1)) as other,
    ):
        assert first_difference(one, other) == first_difference(other, one) == 3 * MIB


def test_files_that_are_no_disks_are_compared_by_their_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "1.gz", tmp_path / "2"
    one.write_bytes(gzip.compress(b"x" * 5000))
    other.write_bytes(b"x" * 4000 + b"y" + b"x" * 999)
    assert describe_difference(one, other, tmp_path).endswith("from byte 4000 on")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.gz", "2"]


@pytest.mark.parametrize("damaged", [True, False])
def test_a_damaged_compressed_image_differs(damaged: bool, tmp_path: Path) -> None:
    make_build(tmp_path, "1")
    build, ours = find_build(tmp_path, "1", X86), tmp_path / "ours"
    ours.write_bytes(b"x" * 5000)
    theirs = build.path / str(build.images["qemu"]["path"])
    theirs.chmod(0o644)
    theirs.write_bytes(gzip.compress(b"x" * 5000)[: -9 if damaged else None])
    digest = hashlib.sha256(b"x" * 5000).hexdigest()
    artifact = Artifact(key="qemu", path=ours, size=5000, sha256=digest, seconds=0, cached=False)
    found = compare(build, artifact, tmp_path, Events())
    assert found.compared == (Compared.FILE if damaged else Compared.CONTENT)
    assert ("cannot be decompressed" in str(found.difference)) == damaged


def test_what_only_begins_compressed_is_compared_as_it_is(tmp_path: Path) -> None:
    """As an initramfs does."""
    make_build(tmp_path, "1")
    build, ours = find_build(tmp_path, "1", X86), tmp_path / "ours"
    data = gzip.compress(b"x" * 5000) + b"070701"
    theirs = build.path / str(build.images["qemu"]["path"])
    theirs.chmod(0o644)
    for path in (ours, theirs):
        path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    artifact = Artifact(key="qemu", path=ours, size=len(data), sha256=digest, seconds=0, cached=False)
    assert compare(build, artifact, tmp_path, Events()).difference is None

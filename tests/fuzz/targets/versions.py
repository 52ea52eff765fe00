"""The three schemes of versions, and the order of RPM's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import combinations, permutations
from pathlib import Path
from typing import TypeVar

from bootimg.rpmdb.evr import compare_packages, compare_versions
from bootimg.rpmdb.package import Package
from bootimg.streams.metadata.assisted import os_images
from bootimg.streams.metadata.releasebrowser import stream_for_version
from bootimg.streams.metadata.stream import Metadata, Stream
from bootimg.streams.versions.layermatch import require_stream, tells_versions, version_fits
from bootimg.streams.versions.nextversion import next_version
from bootimg.streams.versions.schemes import find_version
from tests.fuzz.target import refusals, target

T = TypeVar("T")
NOW = datetime(2026, 4, 28, 10, 0, tzinfo=UTC)
STREAMS = ("rhel-9.6", "c9s", "4.19-9.6", "4.19", "stable", "next-devel")
WORDS = (
    "dev",
    ".dev",
    "-0",
    "9.6.",
    "419.96.",
    "202412101440",
    "20250203",
    "44.",
    "\u0661",
    "rhel-",
    "c9s",
    "4.",
)


def _versions() -> Iterator[bytes]:
    yield b"9.6.20250203-0\n9.6.202502031200-1.dev\n9.8.20250203-0"
    yield b"419.96.202412101440-0\n418.94.202412101440-0"
    yield b"44.20260419.3.1\n44.20260419.dev.0"
    yield b"rhel-9.6\nc9s\n4.19-9.6"


@target(_versions, words=WORDS, runs=3000)
def version(data: bytes, folder: Path) -> None:
    """Versions: written as they were read, in one order, each with a next one."""
    words = data.decode(errors="replace").split("\n")[:4]
    for word in words:
        if read := find_version(word):
            assert str(read) == word
        with refusals():
            require_stream("a/b", {"com.coreos.stream": word}, word, word)
        with refusals():
            os_images(Stream("s", Metadata("now"), {}), word)
        stream_for_version(word)
        tells_versions(word)
        for stream in (*STREAMS, word):
            version_fits(word, stream)
            with refusals():
                found = next_version(stream, word, NOW, dev=True, release=44)
                assert find_version(str(found)) == found
    _ordered(words)


def _ordered(words: list[str]) -> None:
    found = [each for each in map(find_version, words) if each is not None]
    for kind in {type(each) for each in found}:
        alike = [each for each in found if type(each) is kind]
        for one, other in combinations(alike, 2):
            assert (one < other) + (one > other) + (one == other) == 1  # type: ignore[operator]


@target(
    lambda: [
        b"1.0~rc1\n1.0\n1.0^git1",
        b"a1\n1a\n1.a",
        b"\n~\n^",
        b"010\n10\n9999999999999999999999",
        b"1.0-1:\n1_0",
    ],
    words=("~", "^", ".", "~~", "^~", "00", "a", "\u0661"),
    runs=6000,
)
def evr(data: bytes, folder: Path) -> None:
    """An order: of any two versions one answer each way, of any three no circle."""
    words = data.decode(errors="replace").split("\n")[:3]
    packages = [Package("n", index or None, word, words[0], None) for index, word in enumerate(words)]
    _is_order(compare_versions, words)
    _is_order(compare_packages, packages)


def _is_order(order: Callable[[T, T], int], given: Sequence[T]) -> None:
    for one, other in permutations([*given, given[0]], 2):
        assert order(one, other) == -order(other, one)
    for one, two, three in permutations(given, 3):
        if order(one, two) <= 0 and order(two, three) <= 0:
            assert order(one, three) <= 0

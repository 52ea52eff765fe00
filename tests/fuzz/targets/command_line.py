"""What people type: references of images, sizes and times, places in buckets."""

from __future__ import annotations

from pathlib import Path

from bootimg.builds.bucket.s3client import parse_place
from bootimg.layer.image.reference import parse_reference
from bootimg.sizes import format_size, parse_duration, parse_size
from bootimg.streams.metadata.buildchoice import wanted_builds
from tests.fuzz.target import refusals, target

WORDS = (
    "docker://",
    "oci:",
    "oci-archive:",
    "containers-storage:",
    "@sha256:",
    "s3://",
    "GiB",
    "\u0661",
    "\0",
    "..",
)


@target(
    lambda: [
        b"quay.io/a/b:c",
        b"docker://h:5000/n@sha256:" + b"0" * 64,
        b"oci:dir:tag",
        b"oci-archive:f",
        b"./x",
    ],
    words=WORDS,
)
def reference(data: bytes, folder: Path) -> None:
    """A reference that is understood is written so that it is understood again."""
    text = data.decode(errors="replace")
    with refusals():
        found = parse_reference(text)
        assert found.repository or found.name
        assert parse_reference(str(found)) == found


@target(lambda: [b"10G", b"90s", b"4096", b"s3://bucket/a/b", b"x86_64=9.6.1-0"], words=WORDS)
def arguments(data: bytes, folder: Path) -> None:
    text = data.decode(errors="replace")
    with refusals():
        format_size(parse_size(text))
    with refusals():
        assert parse_duration(text) >= 0
    with refusals():
        assert parse_place(text).bucket
        parse_place("s3://bucket", endpoint=text)
    with refusals():
        wanted_builds([text])

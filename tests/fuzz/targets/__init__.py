"""The targets, by what they read."""

from tests.fuzz.target import TARGETS
from tests.fuzz.targets import (
    boot,
    builds,
    command_line,
    declared,
    disks,
    images,
    layers,
    livefiles,
    objects,
    packages,
    programs,
    records,
    stream_json,
    streams_file,
    sysroot,
    versions,
)

__all__ = [
    "TARGETS",
    "boot",
    "builds",
    "command_line",
    "declared",
    "disks",
    "images",
    "layers",
    "livefiles",
    "objects",
    "packages",
    "programs",
    "records",
    "stream_json",
    "streams_file",
    "sysroot",
    "versions",
]

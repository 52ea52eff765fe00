"""Trees of builds for the release browser, with lists of packages as coreos-assembler leaves them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bootimg.builds.record import Record, change_record
from tests.support.builds import streams

Row = tuple[str, str, str, str, str]
OLD, NEW, NEWEST = "9.8.20260414-0", streams.VERSION, "9.8.20260505-0"
PACKAGES: Mapping[str, Sequence[Row]] = {
    OLD: [
        ("bash", "0", "5.1.8", "9.el9", "x86_64"),
        ("grub2-tools", "1", "2.06", "80.el9_4", "x86_64"),
        ("kernel", "0", "5.14.0", "570.el9", "x86_64"),
        ("leaving", "0", "1", "1", "noarch"),
        ("podman", "5", "5.4.0", "9.el9", "x86_64"),
        ("systemd", "0", "252", "51.el9", "x86_64"),
    ],
    NEW: [
        ("bash", "0", "5.1.8", "9.el9", "x86_64"),
        ("grub2-tools", "1", "2.06", "80.el9_4", "x86_64"),
        ("kernel", "0", "5.14.0", "570.9.el9", "x86_64"),
        ("kernel", "0", "5.14.0", "570.12.el9", "x86_64"),
        ("podman", "5", "5.2.0", "9.el9", "x86_64"),
        ("systemd", "0", "252", "51.el9", "noarch"),
        ("coming", "0", "1", "1", "noarch"),
    ],
}
CHANGES = [
    ["coming", "added", "", "1-1.noarch"],
    ["kernel", "upgraded", "5.14.0-570.el9.x86_64", "5.14.0-570.9.el9.x86_64, 5.14.0-570.12.el9.x86_64"],
    ["leaving", "removed", "1-1.noarch", ""],
    ["podman", "downgraded", "5:5.4.0-9.el9.x86_64", "5:5.2.0-9.el9.x86_64"],
    ["systemd", "changed", "252-51.el9.x86_64", "252-51.el9.noarch"],
]
"""What a table shows of the difference between OLD and NEW."""


def write_tree(builds: Path) -> Path:
    """Three builds of all architectures, of which the two older ones have known packages on x86_64.

    NEW alone has its files.  NEWEST is of another stream on s390x.
    """
    for version in (OLD, NEW, NEWEST):
        streams.write_builds(builds, version, files=version == NEW)
        if version in PACKAGES:
            write_packages(builds / version / "x86_64", PACKAGES[version])
    folder = builds / NEWEST / "s390x"
    (folder / "meta.json").write_text(json.dumps(streams.meta("s390x", NEWEST, "rhel-10.2")))
    change_record(folder, Record(stream="rhel-10.2", skip_reason="it has OpenShift's content"))
    list_builds(builds, NEWEST, NEW, OLD, tags=[{"name": "released", "target": NEW}])
    return builds


def write_packages(folder: Path, rows: Sequence[Row]) -> None:
    """commitmeta.json of a build with these packages."""
    (folder / "commitmeta.json").write_text(json.dumps({"rpmostree.rpmdb.pkglist": rows}))


def list_builds(builds: Path, *ids: str, arches: Sequence[str] = tuple(streams.IMAGES), **more: Any) -> None:  # noqa: ANN401
    """Have builds.json list these, newest first."""
    entries = [{"id": each, "arches": [*arches]} for each in ids]
    listed = {"schema-version": "1.0.0", "builds": entries, **more}
    (builds / "builds.json").write_text(json.dumps(listed))

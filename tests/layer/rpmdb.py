"""A real RPM database for a tree that dpkg installed: packages without files, installed by rpm."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg import process
from bootimg.arch import Arch
from tests.layer.recipe import SOURCE_DATE_EPOCH

PATH = "usr/share/rpm/rpmdb.sqlite"


@dataclass(frozen=True, slots=True)
class Evr:
    """An RPM version: epoch, version, release."""

    epoch: int
    version: str
    release: str

    @classmethod
    def of_debian(cls, version: str) -> Evr:
        """Map a Debian version; RPM has no hyphen inside a version, and always a release."""
        epoch, _, rest = version.rpartition(":")
        upstream, _, revision = rest.rpartition("-")
        if not upstream:
            upstream, revision = rest, "1"
        return cls(int(epoch or 0), upstream.replace("-", "."), revision)


def installed_versions(status: str) -> dict[str, str]:
    """Debian's versions by package, out of dpkg's status file."""
    stanzas = (
        dict(_field(line) for line in part.splitlines() if line[:1].strip()) for part in status.split("\n\n")
    )
    return {stanza["Package"]: stanza["Version"] for stanza in stanzas if "Version" in stanza}


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(": ")
    return name, value


def make_rpmdb(packages: Mapping[str, Evr], arch: Arch = Arch.X86_64) -> bytes:
    """The content of rpmdb.sqlite after rpm has installed `packages`, all of one architecture."""
    for program in ("rpmbuild", "rpm"):
        process.require(program, packages="rpm (Debian) or rpm-build (Fedora)")
    with TemporaryDirectory(prefix="stand-in-rpm.") as name:
        folder = Path(name)
        (folder / "stand-in.spec").write_text(spec(packages))
        env = {"SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH), "HOME": name}
        defines = {
            "_topdir": name,
            "_rpmdir": f"{name}/rpms",
            "_buildhost": "stand-in",
            "use_source_date_epoch_as_buildtime": "1",
            "debug_package": "%{nil}",
        }
        define = [word for key, value in defines.items() for word in ("--define", f"{key} {value}")]
        process.run(
            ["rpmbuild", "-bb", f"--target={arch}-linux", *define, str(folder / "stand-in.spec")], env=env
        )
        rpms = sorted(folder.glob("rpms/**/*.rpm"))
        database = ["rpm", f"--dbpath={folder}/db", "--define", "_db_backend sqlite"]
        process.run([*database, "--initdb"], env=env)
        process.run(
            [*database, "--install", "--justdb", "--nodeps", "--nosignature", "--ignorearch", *rpms], env=env
        )
        return _one_file(folder / "db/rpmdb.sqlite")


def _one_file(path: Path) -> bytes:
    # rpm leaves a write-ahead log beside the database; an image's database is read-only and has none.
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("VACUUM")
    return path.read_bytes()


def spec(packages: Mapping[str, Evr]) -> str:
    """One spec file that has every package as a subpackage."""
    tags = ("Name: stand-in", "Version: 1", "Release: 1", "Summary: Stand-in", "License: Apache-2.0")
    head = "\n".join([*tags, "%description", "Stand-in", ""])
    return head + "".join(_subpackage(name, evr) for name, evr in sorted(packages.items()))


def _subpackage(name: str, evr: Evr) -> str:
    return (
        f"\n%package -n {name}\nSummary: Stand-in for {name}\nVendor: stand-in\n"
        f"Epoch: {evr.epoch}\nVersion: {evr.version}\nRelease: {evr.release}\n"
        f"%description -n {name}\nStands for the Debian package in the tree.\n%files -n {name}\n"
    )

"""Real RPM databases of packages without files, and what rpm itself says of them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

needs_rpm = pytest.mark.skipif(not shutil.which("rpmbuild"), reason="rpmbuild is not installed")


@dataclass(frozen=True)
class Rpm:
    """A package to make; no epoch where it is None."""

    name: str
    version: str
    release: str = "1.el9"
    epoch: int | None = None
    arch: str = "x86_64"


def make_database(packages: Iterable[Rpm], folder: Path) -> Path:
    """The folder of a database that rpm has installed `packages` into, write-ahead log and all."""
    database = folder / "db"
    rpm(database, "--initdb")
    made = [build(each, folder) for each in packages]
    words = ("--justdb", "--nodeps", "--nosignature", "--ignorearch", "--ignoreos", "--force")
    for path in made:
        # One by one: rpm takes the newest of a name alone out of one command.
        rpm(database, "--install", *words, str(path))
    return database


def build(package: Rpm, folder: Path) -> Path:
    spec = folder / "x.spec"
    tags = {"Name": package.name, "Version": package.version, "Release": package.release, "Summary": "x",
            "License": "MIT", "Vendor": "Example, Inc.", "Epoch": package.epoch}  # fmt: skip
    lines = [f"{tag}: {value}" for tag, value in tags.items() if value is not None]
    lines += ["BuildArch: noarch"] if package.arch == "noarch" else []
    spec.write_text("\n".join([*lines, "%description", "x", "%files", ""]))
    before = set(folder.glob("rpms/*/*.rpm"))
    target = [] if package.arch == "noarch" else [f"--target={package.arch}-linux"]
    defines = [f"_topdir {folder}", f"_rpmdir {folder}/rpms", "debug_package %{nil}"]
    define = [word for each in defines for word in ("--define", each)]
    subprocess.run(["rpmbuild", "-bb", *target, *define, spec], check=True, capture_output=True)
    (made,) = set(folder.glob("rpms/*/*.rpm")) - before
    return made


def rpm(database: Path, *words: str) -> str:
    argv = ["rpm", f"--dbpath={database}", "--define", "_db_backend sqlite", *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def query(database: Path, *tags: str) -> list[list[str]]:
    """What `rpm -qa` says, sorted: a list of the tags' values for each package."""
    text = rpm(database, "-qa", "--queryformat", "\\t".join(f"%{{{tag}}}" for tag in tags) + "\\n")
    return sorted(line.split("\t") for line in text.splitlines())

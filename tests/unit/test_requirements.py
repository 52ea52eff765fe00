"""The locked packages are what pyproject.toml asks for, each with the digests of its files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCKS = {path.stem: path for path in (ROOT / "requirements").glob("*.txt")}


@dataclass(frozen=True)
class Locked:
    version: Version
    digests: tuple[str, ...]


def locked(name: str) -> dict[str, Locked]:
    """The packages of a lock, by their names."""
    text = LOCKS[name].read_text().replace("\\\n", " ")
    found: dict[str, Locked] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            words = re.fullmatch(
                r"(\S+)==(\S+)(?: *;[^-]*(?:-[^-][^-]*)*?)?((?: +--hash=sha256:[0-9a-f]{64})*)", line
            )
            assert words, line
            found[canonicalize_name(words[1])] = Locked(Version(words[2]), tuple(words[3].split()))
    return found


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def flat(words: Iterable[str]) -> Iterator[Requirement]:
    """Requirements, those of bootimg's own extras included."""
    for requirement in map(Requirement, words):
        if requirement.name == "bootimg":
            for extra in requirement.extras:
                yield from flat(project()["project"]["optional-dependencies"][extra])
        else:
            yield requirement


def wanted(name: str) -> list[Requirement]:
    """What the lock is for."""
    found = project()
    extras = found["project"]["optional-dependencies"]
    named = {
        "build": found["build-system"]["requires"],
        "run": found["project"]["dependencies"],
        "pipeline": [*found["project"]["dependencies"], *extras["all"]],
        "test": [*found["project"]["dependencies"], *extras["test"]],
        "audit": [],
    }[name]
    more = ROOT / "requirements" / f"{name}.in"
    lines = more.read_text().splitlines() if more.exists() else []
    return [*flat(named), *map(Requirement, (line for line in lines if not line.startswith("#")))]


@pytest.mark.parametrize("name", ["audit", "build", "pipeline", "run", "test"])
def test_each_requirement_is_locked_at_a_version_that_it_allows(name: str) -> None:
    packages = locked(name)
    for requirement in wanted(name):
        found = packages.get(canonicalize_name(requirement.name))
        assert found, f"{requirement} is not in {LOCKS[name].name}: run script/lock"
        assert requirement.specifier.contains(found.version), (
            f"{requirement}: {found.version}: run script/lock"
        )


@pytest.mark.parametrize("name", LOCKS)
def test_each_locked_package_has_digests(name: str) -> None:
    packages = locked(name)
    assert packages
    assert [package for package, found in packages.items() if not found.digests] == []


@pytest.mark.parametrize("name", ["pipeline", "run"])
def test_what_runs_is_what_was_tested(name: str) -> None:
    tested = locked("test")
    assert {package: found for package, found in locked(name).items() if tested.get(package) != found} == {}


def test_what_builds_is_named_once() -> None:
    lines = (ROOT / "requirements/build.in").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == project()["build-system"]["requires"]


def test_every_lower_bound_is_below_the_lock_and_every_dependency_has_one() -> None:
    for requirement in flat(project()["project"]["dependencies"]):
        assert [each.operator for each in requirement.specifier] == [">="], requirement


@pytest.mark.parametrize("name", ["Containerfile", "Containerfile.fedora"])
def test_the_base_of_the_container_has_a_tag(name: str) -> None:
    (base,) = re.findall(r"^ARG BASE=(\S+)$", (ROOT / name).read_text(), re.MULTILINE)
    assert re.fullmatch(r"[^@:]+:[\w.-]+(@sha256:[0-9a-f]{64})?", base)
    assert not base.endswith(":latest")

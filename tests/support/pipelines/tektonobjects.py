"""Tekton's own checks of its objects: a program of ours in Go, compiled once into the test cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from bootimg import process
from tests.layer import store

SOURCE = Path(__file__).with_name("tektonvalidator")
_HOUR = 3600.0


def why_not() -> str | None:
    """Why the program cannot be had here, or None: it is there or compiles."""
    return None if _path().exists() or process.find("go") else "go is missing"


def validator() -> Path:
    """The program, compiled if it is not there: that takes some minutes, and the Go proxy."""
    path = _path()
    if not path.exists():
        path.parent.parent.mkdir(parents=True, exist_ok=True)
        with store.locked(path.parent.parent):
            if not path.exists():
                store.made_folder(path.parent, _compile)
    return path


@dataclass(frozen=True)
class Checked:
    """The objects with what the webhook fills in, and what is wrong with them."""

    items: list[dict[str, Any]]
    faults: list[str]


def check(files: Iterable[Path]) -> Checked:
    """Check the objects in YAML files."""
    done = subprocess.run([validator(), *files], capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    return Checked(report["items"], [f"{each['object']}: {each['message']}" for each in report["faults"]])


def schemas() -> dict[str, Any]:
    """The OpenAPI schemas of the custom resources v1, by kind: the API server checks by them."""
    found: dict[str, Any] = {}
    for path in (validator().parent / "crds").glob("*.yaml"):
        resource = yaml.safe_load(path.read_text())["spec"]
        for version in resource["versions"]:
            if version["name"] == "v1":
                found[resource["names"]["kind"]] = version["schema"]["openAPIV3Schema"]
    return found


def _path() -> Path:
    return store.test_cache() / "tools" / f"tektonvalidator-{store.key(SOURCE)}" / "validator"


def _compile(output: Path) -> None:
    """A folder with the program and Tekton's custom resources."""
    with TemporaryDirectory(dir=output.parent) as work:
        source = shutil.copytree(SOURCE, Path(work) / "source")
        env = {name: value for name, value in os.environ.items() if name.startswith(("GO", "CGO"))}
        flags = {"GOPATH": f"{work}/go", "GOCACHE": f"{work}/gocache", "CGO_ENABLED": "0"}
        env |= {**flags, "GOFLAGS": "-modcacherw"}
        build = ["go", "build", "-trimpath", "-ldflags=-s -w", f"-o={output}/validator", "."]
        process.run(build, env=env, cwd=source, timeout=_HOUR)
        where = ["go", "list", "-m", "-f={{.Dir}}", "github.com/tektoncd/pipeline"]
        module = process.run(where, env=env, cwd=source, timeout=_HOUR).stdout.decode().strip()
        shutil.copytree(Path(module) / "config/300-crds", output / "crds")

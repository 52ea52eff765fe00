"""The real osbuild, where it can be had, and a manifest that it can build without Fedora's packages."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "BOOTIMG_OSBUILD_SOURCE"
SIZE = 4 << 30


def osbuild_command() -> list[str] | None:
    """osbuild from the source that the variable names, else the one on PATH."""
    source = os.environ.get(VARIABLE)
    if source:
        return [sys.executable, "-m", "osbuild", "--libdir", source]
    found = shutil.which("osbuild")
    return [found] if found else None


def real_osbuild(folder: Path) -> Path:
    """A program `osbuild` in a new folder that is the real one; skips where there is none."""
    command = osbuild_command()
    if command is None:
        pytest.skip(f"no osbuild: {VARIABLE} names no source of it, and none is installed")
    folder.mkdir()
    program = folder / "osbuild"
    source = os.environ.get(VARIABLE, "")
    words = " ".join(f"'{word}'" for word in command)
    program.write_text(f"#!/bin/sh\nPYTHONPATH='{source}' exec {words} \"$@\"\n")
    program.chmod(0o755)
    return program


def buildable_here() -> None:
    """Skip where osbuild cannot run a stage."""
    if os.geteuid() != 0 or shutil.which("bwrap") is None:
        pytest.skip("osbuild builds as root only, and with bubblewrap")
    namespaces = ["bwrap", "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "true"]
    if subprocess.run(namespaces, capture_output=True).returncode:
        pytest.skip("bubblewrap cannot make namespaces here")


def small_manifest(archive: Path, filename: str, *, size: int = SIZE, extra: Any = ()) -> dict[str, Any]:  # noqa: ANN401
    """Pipelines with the names of the recipe's that need nothing but the machine's own programs.

    `extra` are stages before the last of the pipeline `qemu`.
    """
    digest = "sha256:" + hashlib.sha256(archive.read_bytes()).hexdigest()
    return {
        "version": "2",
        "pipelines": [
            _pipeline(
                "oci-archive", _copy("file", "files", "source", {digest: {}}, f"input://file/{digest}")
            ),
            _pipeline("deployed-tree", {"type": "org.osbuild.noop"}),
            _pipeline("raw-image", _of_tree("oci-archive"), {"type": "org.osbuild.noop"}, _truncate(SIZE)),
            _pipeline("raw-qemu-image", _of_tree("raw-image"), _truncate(size)),
            _pipeline("qemu", *extra, _qemu(filename)),
        ],
        "sources": {"org.osbuild.curl": {"items": {digest: archive.as_uri()}}},
    }


def _pipeline(name: str, *stages: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"name": name, "stages": list(stages)}


def _truncate(size: int) -> dict[str, Any]:
    return {"type": "org.osbuild.truncate", "options": {"filename": "disk.img", "size": str(size)}}


def _copy(name: str, kind: str, origin: str, references: Any, path: str) -> dict[str, Any]:  # noqa: ANN401
    source = {"type": f"org.osbuild.{kind}", "origin": f"org.osbuild.{origin}", "references": references}
    paths = [{"from": path, "to": "tree:///disk.img"}]
    return {"type": "org.osbuild.copy", "inputs": {name: source}, "options": {"paths": paths}}


def _of_tree(name: str) -> dict[str, Any]:
    return _copy("tree", "tree", "pipeline", [f"name:{name}"], "input://tree/disk.img")


def _qemu(filename: str) -> dict[str, Any]:
    image = {
        "type": "org.osbuild.files",
        "origin": "org.osbuild.pipeline",
        "references": {"name:raw-qemu-image": {"file": "disk.img"}},
    }
    options = {"filename": filename, "format": {"type": "qcow2", "compat": "1.1", "compression": False}}
    return {"type": "org.osbuild.qemu", "inputs": {"image": image}, "options": options}


def write(manifest: dict[str, Any], path: Path) -> Path:
    path.write_text(json.dumps(manifest))
    return path

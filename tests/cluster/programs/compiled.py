"""Kubernetes and Tekton, compiled from the Go modules in kube/ and tekton/, whose go.sum has every digest.

The first time takes 24 minutes of processor time.  Go's own caches are deleted afterwards,
unless GOMODCACHE and GOCACHE name them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg import process
from tests.layer import store
from tests.layer.progress import timed

HERE = Path(__file__).parent
KUBERNETES = "v1.34.4"
TEKTON = "v1.6.0"
PARTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl")
"""The names by which the one program of Kubernetes is called."""
TEKTON_PARTS = ("controller", "webhook", "entrypoint", "nop", "sidecarlogresults", "workingdirinit")
_MODULE = "github.com/tektoncd/pipeline"
_GO = (1, 24)
_HOURS = 4 * 3600.0
_BUILD = ("go", "build", "-modcacherw", "-trimpath", "-mod=readonly")


def why_not() -> str | None:
    """Why they cannot be had here, or None: they are there or compile."""
    if why_not_yet() is None:
        return None
    if process.find("go") is None:
        return f"go is missing ({'.'.join(map(str, _GO))} or newer is needed)"
    found = re.search(rb"go(\d+)\.(\d+)", process.run(["go", "version"]).stdout)
    return None if found and tuple(map(int, found.groups())) >= _GO else "go is too old"


def why_not_yet() -> str | None:
    """Why they are not there yet, or None; it takes long to make them."""
    missing = [name for name in ("kube", "tekton", "pause") if not _place(name).exists()]
    return f"`python -m tests.cluster.programs` has not made {', '.join(missing)}" if missing else None


def kube() -> Path:
    """The folder with the parts of Kubernetes."""
    return _made("kube", KUBERNETES, _compile_kube)


def tekton() -> Path:
    """The folder with Tekton's programs in bin/ and its objects in config/."""
    return _made("tekton", TEKTON, _compile_tekton)


def pause() -> Path:
    """The program that every pod's first container is."""
    return _made("pause", KUBERNETES, _compile_pause) / "pause"


def _place(name: str) -> Path:
    return store.test_cache() / "cluster" / f"{name}-{store.key(HERE / name, _BUILD, KUBERNETES, TEKTON)}"


def _made(name: str, version: str, make: Callable[[Path, dict[str, str], Path], None]) -> Path:
    place = _place(name)
    place.parent.mkdir(parents=True, exist_ok=True)
    with store.locked(place.parent):
        if place.exists():
            return place
        with timed(f"{name} {version}"), TemporaryDirectory(prefix=f"{name}.", dir=place.parent) as work:
            source = shutil.copytree(HERE / name, Path(work) / "source")
            own = {"GOPATH": f"{work}/go", "GOCACHE": f"{work}/cache", "CGO_ENABLED": "0"}
            go = {key: value for key, value in os.environ.items() if key.startswith("GO")}
            return store.made_folder(place, lambda output: make(source, {**own, **go}, output))


def _compile_kube(source: Path, go: dict[str, str], output: Path) -> None:
    # Tekton asks the API server for its version; a build without it says 0.0.0.
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    base, client = "k8s.io/component-base/version", "k8s.io/client-go/pkg/version"
    stamps = {f"{base}.gitVersion": KUBERNETES, f"{client}.gitVersion": KUBERNETES,
              f"{base}.gitMajor": major, f"{base}.gitMinor": minor}  # fmt: skip
    flags = " ".join(["-s -w", *(f"-X {name}={value}" for name, value in stamps.items())])
    process.run([*_BUILD, f"-ldflags={flags}", f"-o={output}/kube", "."], env=go, cwd=source, timeout=_HOURS)
    for name in PARTS:
        (output / name).symlink_to("kube")


def _compile_pause(source: Path, go: dict[str, str], output: Path) -> None:
    process.run([*_BUILD, "-ldflags=-s -w", f"-o={output}/pause", "."], env=go, cwd=source, timeout=_HOURS)


def _compile_tekton(source: Path, go: dict[str, str], output: Path) -> None:
    packages = [f"{_MODULE}/cmd/{name}" for name in TEKTON_PARTS]
    (output / "bin").mkdir()
    argv = [*_BUILD, "-ldflags=-s -w", f"-o={output}/bin/", *packages]
    process.run(argv, env=go, cwd=source, timeout=_HOURS)
    listed = process.run(["go", "list", "-m", "-modcacherw", "-json", _MODULE], env=go, cwd=source)
    shutil.copytree(Path(json.loads(listed.stdout)["Dir"]) / "config", output / "config")

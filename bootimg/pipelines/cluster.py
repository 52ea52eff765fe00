"""The objects of a cluster, as `kubectl get -o json` prints them."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from bootimg import process
from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import printable
from bootimg.sizes import MIB
from bootimg.untrusted.files import read_start
from bootimg.untrusted.jsonfile import parse_object

Json = dict[str, Any]
LIMIT = 64 * MIB
_KINDS = "tasks.tekton.dev,pipelines.tekton.dev"
_TIMEOUT = 120.0
_VARIABLES = ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")


def parse_objects(data: bytes, name: str) -> list[Json]:
    """The objects of a list, or the only one; `pipeline-objects-unreadable`."""
    document = parse_object(data, partial(_unreadable, name), limit=LIMIT)
    if "items" not in document:
        return [document.values]
    return [each.values for each in document.objects("items")]


def cluster_objects(namespace: str | None) -> list[Json]:
    """The Tasks and Pipelines of a namespace, by kubectl.  Errors: `program-missing`, `kubectl-failed`."""
    kubectl = process.require("kubectl", packages="kubectl, or name a file with --objects")
    where = ["--namespace", namespace] if namespace else []
    env = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    done = process.run(
        [kubectl, "get", _KINDS, "--output", "json", *where], env=env, check=False, timeout=_TIMEOUT
    )
    if done.returncode:
        said = [printable(line) for line in done.stderr.decode(errors="replace").splitlines()[-5:]]
        raise BootimgError(
            "kubectl-failed",
            "kubectl could not list the cluster's Tasks and Pipelines",
            context=said,
            hint="check KUBECONFIG and your rights there, and that Tekton is installed",
            exit_code=ExitCode.ENVIRONMENT,
        )
    return parse_objects(done.stdout, "kubectl")


def read_objects(path: Path) -> list[Json]:
    """The objects in a file, or on stdin for `-`; `pipeline-objects-unreadable`."""
    try:
        data = (
            sys.stdin.buffer.read(LIMIT + 1) if str(path) == "-" else read_start(path, LIMIT, any_kind=True)
        )
    except OSError as error:
        raise _unreadable(str(path), f"it cannot be read: {error.strerror}") from None
    return parse_objects(data, str(path))


def _unreadable(name: str, why: str) -> BootimgError:
    return BootimgError(
        "pipeline-objects-unreadable",
        f"{printable(name)} is not what `kubectl get -o json` prints",
        context=[printable(why)[:300]],
        hint="write it with `kubectl get tasks,pipelines -o json`",
        exit_code=ExitCode.USAGE,
    )

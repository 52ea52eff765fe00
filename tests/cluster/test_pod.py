"""A step of bootimg in a pod that has what the profile `restricted` leaves it."""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest

from tests.cluster.cluster import IMAGE, Cluster
from tests.cluster.kubernetes.client import Json, Kubectl, condition
from tests.cluster.machine.waiting import wait_for
from tests.cluster.team import USER

_LOOK = """#!/bin/sh
set -eu
grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status
id -u; id -g
touch /x 2>/dev/null && echo root is writable || echo root is read-only
touch /usr/x 2>/dev/null && echo usr is writable || echo usr is read-only
test -e /dev/kvm && echo kvm || echo no kvm
bootimg --version
printf %s "$(bootimg --version)" > "$(results.version.path)"
"""
_SECURITY = {
    "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
}  # fmt: skip


def task_run(name: str, step: Json, pod: Json | None = None) -> Json:
    """A TaskRun of one step, whose result is a version."""
    spec = {
        "results": [{"name": "version"}],
        "steps": [{"name": "look", "image": IMAGE, "script": _LOOK, **step}],
    }
    return {
        "apiVersion": "tekton.dev/v1", "kind": "TaskRun", "metadata": {"name": name},
        "spec": {"taskSpec": spec, **({"podTemplate": {"securityContext": pod}} if pod else {})},
    }  # fmt: skip


def ended(kubectl: Kubectl, name: str) -> Json:
    """The TaskRun when it is over."""

    def look() -> Json | None:
        found = kubectl.get("taskrun", name)
        return found if condition(found, "Succeeded").get("status", "Unknown") != "Unknown" else None

    return wait_for(name, look, kubectl.space)


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Kubectl:
    return cluster.make_namespace("pods")


def test_a_pod_has_no_rights_and_bootimg_runs(namespace: Kubectl) -> None:
    who = {"runAsUser": USER, "runAsGroup": 0, "runAsNonRoot": True}
    namespace.apply(task_run("good", {"securityContext": _SECURITY}, who))
    found = ended(namespace, "good")
    said = namespace("logs", found["status"]["podName"], "--container=step-look").stdout.decode()
    assert condition(found, "Succeeded")["status"] == "True", said
    assert {line.split()[1] for line in said.splitlines() if line.startswith("Cap")} == {"0" * 16}
    assert "NoNewPrivs:\t1" in said
    assert "Seccomp:\t2" in said
    assert f"\n{USER}\n0\nroot is read-only\nusr is read-only\nno kvm\n" in said
    (result,) = found["status"]["results"]
    assert result["value"] == f"bootimg {version('bootimg')}"


def test_a_pod_that_wants_more_is_refused(namespace: Kubectl) -> None:
    more = {"securityContext": {**_SECURITY, "allowPrivilegeEscalation": True}}
    namespace.apply(task_run("bad", more, {"runAsUser": USER, "runAsNonRoot": True}))
    found = ended(namespace, "bad")
    assert condition(found, "Succeeded")["status"] == "False"
    assert "restricted" in json.dumps(found["status"])

"""Runs of a Pipeline: started, watched, disturbed, and what they left."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest

from tests.cluster.kubernetes.client import Json, Kubectl, condition
from tests.cluster.machine.containers import kill_step
from tests.cluster.machine.waiting import PATIENCE

HOUR = 3600.0
_RUN = "tekton.dev/pipelineRun"
_STAGE = "tekton.dev/pipelineTask"


@dataclass(frozen=True)
class Run:
    """A PipelineRun in the namespace of its client."""

    kubectl: Kubectl
    name: str

    @classmethod
    def start(cls, kubectl: Kubectl, run: Json) -> Run:
        """Create it; it may have a `generateName`."""
        words = ("create", "--filename=-", "--output=json")
        made = json.loads(kubectl(*words, input=json.dumps(run).encode()).stdout)
        return cls(kubectl, made["metadata"]["name"])

    def look(self) -> Json:
        found = self.kubectl.get("pipelinerun", self.name)
        assert found is not None
        return found

    def task_runs(self) -> list[Json]:
        return self.kubectl.items("taskrun", f"--selector={_RUN}={self.name}")

    def stages(self) -> dict[str, list[Json]]:
        """The task runs by the names of the pipeline's tasks."""
        found: dict[str, list[Json]] = {}
        for each in self.task_runs():
            found.setdefault(each["metadata"]["labels"][_STAGE], []).append(each)
        return found

    def pods(self, stage: str) -> list[Json]:
        """The pods of a stage that have not ended."""
        found = self.kubectl.items("pod", f"--selector={_RUN}={self.name},{_STAGE}={stage}")
        return [each for each in found if each["status"]["phase"] in ("Pending", "Running")]

    def uids(self) -> set[str]:
        """The uids of all its pods that are there."""
        return {
            each["metadata"]["uid"] for each in self.kubectl.items("pod", f"--selector={_RUN}={self.name}")
        }

    def is_over(self) -> bool:
        return bool(condition(self.look(), "Succeeded").get("status", "Unknown") != "Unknown")

    def wait(self, seconds: float = HOUR) -> Json:
        """Wait until it has succeeded; fails with the log of what failed."""
        last = time.monotonic() + seconds
        while not self.is_over():
            self.kubectl.space.check_alive()
            if time.monotonic() > last:
                pytest.fail(f"{self.name} did not end in {seconds:.0f} s\n{self._report()}")
            time.sleep(1)
        found = self.look()
        if condition(found, "Succeeded")["status"] != "True":
            pytest.fail(self._report())
        return found

    def results(self) -> dict[str, Any]:
        return {each["name"]: each["value"] for each in self.look()["status"].get("results", [])}

    def _report(self) -> str:
        return "\n".join([condition(self.look(), "Succeeded").get("message", "it runs"), *self._failures()])

    def _failures(self) -> Iterator[str]:
        for each in self.task_runs():
            said = condition(each, "Succeeded")
            if said.get("status") == "True":
                continue
            yield f"== {each['metadata']['name']}: {said.get('reason')}: {said.get('message')}"
            pod = each["status"].get("podName")
            for step in each["status"].get("steps", []):
                if pod and step.get("terminated", {}).get("exitCode") != 0:
                    log = self.kubectl("logs", pod, f"--container={step['container']}", check=False)
                    yield f"-- {step['name']}\n{log.stdout.decode(errors='replace')[-3000:]}"


class Way(StrEnum):
    """How a pod ends before its time."""

    DELETED = "its pod is deleted: Tekton makes another one"
    KILLED = "the step's processes are killed, as for want of memory: Tekton tries the task again"


def disturb(run: Run, stage: str, step: str, way: Way) -> str:
    """Wait until a pod of the stage runs the step, and end it at once; returns the pod's uid."""
    pod = _pod_in_step(run, stage, step)
    if way is Way.DELETED:
        run.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")
    else:
        container = _states(pod)[f"step-{step}"]["containerID"].removeprefix("containerd://")
        kill_step(container, run.kubectl.space)
    return str(pod["metadata"]["uid"])


def _pod_in_step(run: Run, stage: str, step: str) -> Json:
    last = time.monotonic() + PATIENCE
    while time.monotonic() < last:
        for pod in run.pods(stage):
            if _is_in_step(pod, step):
                return pod
        assert not run.is_over(), f"{run.name} ended before {stage} was in {step}"
        run.kubectl.space.check_alive()
        time.sleep(0.2)
    pytest.fail(f"{stage} did not come to {step}")


def _is_in_step(pod: Json, step: str) -> bool:
    """Whether the steps before it have ended and it has not: all containers of a pod start together."""
    names = [each["name"] for each in pod["spec"]["containers"]]
    before = names[: names.index(f"step-{step}")]
    states = {name: each["state"] for name, each in _states(pod).items()}
    ended = all("terminated" in states.get(each, {}) for each in before)
    return ended and "running" in states.get(f"step-{step}", {})


def _states(pod: Json) -> dict[str, Json]:
    return {each["name"]: each for each in pod["status"].get("containerStatuses", [])}

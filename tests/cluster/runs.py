"""Runs of a Pipeline: started, watched, disturbed, and what they left."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.kubernetes.client import Json, Kubectl, condition
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


def delete_running_pod(run: Run, stage: str, step: str) -> str:
    """Wait until a pod of the stage runs the step, and delete the pod at once; returns its name."""
    last = time.monotonic() + PATIENCE
    while time.monotonic() < last:
        for pod in run.pods(stage):
            if _is_in_step(pod, step):
                name = str(pod["metadata"]["name"])
                run.kubectl("delete", "pod", name, "--grace-period=0", "--force")
                return name
        assert not run.is_over(), f"{run.name} ended before {stage} was in {step}"
        run.kubectl.space.check_alive()
        time.sleep(0.2)
    pytest.fail(f"{stage} did not come to {step}")


def _is_in_step(pod: Json, step: str) -> bool:
    """Whether the steps before it have ended and it has not: all containers of a pod start together."""
    before = []
    for each in pod["spec"]["containers"]:
        if each["name"] == f"step-{step}":
            break
        before.append(each["name"])
    states = {each["name"]: each["state"] for each in pod["status"].get("containerStatuses", [])}
    return "running" in states.get(f"step-{step}", {}) and all(
        "terminated" in states[each] for each in before
    )

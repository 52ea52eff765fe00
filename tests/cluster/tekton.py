"""Tekton's objects, and its webhook and controller, which run beside the cluster with their own rights."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cluster.kubernetes import config
from tests.cluster.kubernetes.client import Json, Kubectl
from tests.cluster.machine.images import Image
from tests.cluster.machine.space import ADDRESS, Space
from tests.cluster.machine.waiting import wait_for

NAMESPACE = "tekton-pipelines"
_REGISTRY = "localhost/tekton"
PAUSE = f"{_REGISTRY}/pause:1"
_ENTRY = ("entrypoint", "nop", "sidecarlogresults", "workingdirinit")
_SERVER = "tekton-pipelines-webhook"
_ACCOUNTS = (
    "200-clusterrole", "200-role", "200-serviceaccount", "201-clusterrolebinding", "201-rolebinding",
    "clusterrole-aggregate-edit", "clusterrole-aggregate-view", "500-webhooks",
)  # fmt: skip
_ENVIRONMENT = {
    "SYSTEM_NAMESPACE": NAMESPACE,
    "CONFIG_LOGGING_NAME": "config-logging",
    "CONFIG_OBSERVABILITY_NAME": "config-observability",
    "CONFIG_FEATURE_FLAGS_NAME": "feature-flags",
    "CONFIG_DEFAULTS_NAME": "config-defaults",
    "CONFIG_SPIRE": "config-spire",
    "METRICS_DOMAIN": "tekton.dev/pipeline",
    "KUBERNETES_MIN_VERSION": "v1.28.0",
}
_TOOLS = ("sh", "cat", "chmod", "cp", "echo", "mkdir", "mv", "sleep", "touch", "printf", "base64")


def images(folder: Path, debian: Path, pause: Path) -> list[Image]:
    """What Tekton's pods are made of, beside a task's own image."""
    own = [_image(name, {f"ko-app/{name}": folder / "bin" / name}, f"/ko-app/{name}") for name in _ENTRY]
    links = {f"bin/{name}": "busybox" for name in _TOOLS}
    shell = _image("shell", {"bin/busybox": debian / "bin/busybox"}, "/bin/sh", links)
    return [_image("pause", {"pause": pause}, "/pause"), shell, *own]


def _image(name: str, files: dict[str, Path], entry: str, links: dict[str, str] | None = None) -> Image:
    return Image(f"{_REGISTRY}/{name}:1", files, links or {}, entrypoint=[entry])


def start_tekton(space: Space, kubectl: Kubectl, folder: Path) -> None:
    """Apply its objects and start its programs; returns when the webhook answers."""
    objects = folder / "config"
    kubectl.apply_files(objects / "100-namespace", objects / "300-crds")
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=300s")
    kubectl.apply_files(*sorted(objects.glob("config-*.yaml")))
    kubectl("patch", "configmap", "feature-flags", f"--namespace={NAMESPACE}", "--type=merge",
            "--patch", json.dumps({"data": {"set-security-context": "true"}}))  # fmt: skip
    # From here on the webhook is asked about all that is changed.
    kubectl.apply_files(*(objects / f"{name}.yaml" for name in _ACCOUNTS))
    kubectl.apply(*_webhook_service())
    _start_webhook(space, kubectl, folder)
    start_controller(space, kubectl, folder)
    wait_for("Tekton's webhook", lambda: _is_checked(kubectl), space)


def _start_webhook(space: Space, kubectl: Kubectl, folder: Path) -> None:
    own = {"CONFIG_LEADERELECTION_NAME": "config-leader-election-webhook", "WEBHOOK_PORT": "8443",
           "PROBES_PORT": "8081", "METRICS_PROMETHEUS_PORT": "9091"}  # fmt: skip
    account = _as_account(space, kubectl, _SERVER)
    space.start("webhook", folder / "bin/webhook", KUBECONFIG=str(account), **_ENVIRONMENT, **own)


def start_controller(space: Space, kubectl: Kubectl, folder: Path) -> None:
    """Start Tekton's controller, again or for the first time."""
    own = {"CONFIG_LEADERELECTION_NAME": "config-leader-election-controller", "PROBES_PORT": "8082",
           "METRICS_PROMETHEUS_PORT": "9092"}  # fmt: skip
    account = _as_account(space, kubectl, "tekton-pipelines-controller")
    named = [word for name in _ENTRY for word in (f"-{name}-image", f"{_REGISTRY}/{name}:1")]
    # A controller that is killed and starts again would wait for its own lease.
    words = ["-disable-ha", *named, "-shell-image", f"{_REGISTRY}/shell:1", "-shell-image-win", "none"]
    space.start(
        "controller", folder / "bin/controller", *words, KUBECONFIG=str(account), **_ENVIRONMENT, **own
    )


def _as_account(space: Space, kubectl: Kubectl, account: str) -> Path:
    """The configuration of a client with the rights of a service account of Tekton's."""
    made = kubectl("create", "token", account, f"--namespace={NAMESPACE}", "--duration=24h")
    target = space.folder / f"kubeconfig.{account}"
    token = made.stdout.decode().strip()
    return config.write("kubeconfig.yaml", target, address=ADDRESS, folder=space.folder, token=token)


def _webhook_service() -> list[Json]:
    """The webhook's Service leads to the process on the bridge."""
    names = {"name": _SERVER, "namespace": NAMESPACE}
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": names,
        "spec": {"ports": [{"name": "https-webhook", "port": 443, "targetPort": 8443}]},
    }  # fmt: skip
    slices = {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {**names, "labels": {"kubernetes.io/service-name": _SERVER}},
        "addressType": "IPv4",
        "ports": [{"name": "https-webhook", "port": 8443, "protocol": "TCP"}],
        "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": True}}],
    }  # fmt: skip
    return [service, slices]


def _is_checked(kubectl: Kubectl) -> bool:
    """Whether the webhook looks at what is made: it takes a step with a script, and refuses one with two."""
    good = {"name": "a", "image": "x", "script": "true"}
    return _is_taken(kubectl, good) and not _is_taken(kubectl, {**good, "command": ["true"]})


def _is_taken(kubectl: Kubectl, step: Json) -> bool:
    names = {"apiVersion": "tekton.dev/v1", "kind": "Task", "metadata": {"name": "probe"}}
    task = json.dumps({**names, "spec": {"steps": [step]}}).encode()
    return not kubectl("create", "--dry-run=server", "--filename=-", input=task, check=False).returncode

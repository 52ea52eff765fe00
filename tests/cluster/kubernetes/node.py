"""The node: containerd with its images, and the kubelet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.kubernetes import config
from tests.cluster.kubernetes.client import Kubectl, condition
from tests.cluster.machine.images import Image
from tests.cluster.machine.init import BRIDGE
from tests.cluster.machine.space import ADDRESS, Space
from tests.cluster.machine.waiting import wait_for

NODE = "builder"
_SERVES = "Start streaming server"
"""What containerd logs when it serves the kubelet."""
_CTR = ("ctr", "--address=/run/containerd/containerd.sock", "--namespace=k8s.io")


def start_containerd(space: Space, debian: Path, pause: str, shown: Sequence[Path]) -> None:
    """Start containerd; every container sees the folders `shown` at their own paths, read-only."""
    folder = space.folder
    (folder / "cni").mkdir()
    names = {"folder": folder, "debian": debian, "pause": pause, "address": ADDRESS, "bridge": BRIDGE}
    config.write("network.conflist", folder / "cni/10-cluster.conflist", **names)
    config.write("containerd.toml", folder / "containerd.toml", **names)
    spec = json.loads(space.run("ctr", "oci", "spec").stdout)
    options = ["rbind", "ro", "nosuid", "nodev"]
    for each in shown:
        place = str(each)
        spec["mounts"].append({"destination": place, "type": "bind", "source": place, "options": options})
    (folder / "container.json").write_text(json.dumps(spec))
    run_containerd(space)


def run_containerd(space: Space) -> None:
    """Start containerd, again or for the first time; returns when the kubelet may ask it."""
    log = space.folder / "log/containerd"
    before = log.read_text().count(_SERVES) if log.exists() else 0
    space.start("containerd", "containerd", "--config", space.folder / "containerd.toml")
    # It answers ctr before it has looked at the containers of its last life; a kubelet would give up.
    wait_for("containerd", lambda: log.read_text().count(_SERVES) > before, space)


def import_images(space: Space, images: Sequence[Image]) -> None:
    archive = space.folder / "image.tar"
    for each in images:
        each.write(archive)
        space.run(*_CTR, "images", "import", archive)
        archive.unlink()


def run_kubelet(space: Space, kubectl: Kubectl) -> None:
    """Start the kubelet, again or for the first time."""
    file = config.write("kubelet.yaml", space.folder / "kubelet.yaml", address=ADDRESS)
    space.start(
        "kubelet", "kubelet", f"--config={file}", f"--kubeconfig={kubectl.config}", f"--node-ip={ADDRESS}",
        f"--hostname-override={NODE}", "--root-dir=/var/lib/kubelet",
        f"--cert-dir={space.folder}/certificates-node",
    )  # fmt: skip


def wait_for_node(space: Space, kubectl: Kubectl) -> None:
    """Wait until the node takes pods."""

    def ready() -> bool:
        node = kubectl.get("node", NODE)
        return condition(node, "Ready").get("status") == "True" and not (node or {})["spec"].get("taints")

    wait_for("the node", ready, space)

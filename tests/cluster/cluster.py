"""The whole cluster: started once for all tests, stopped without a trace."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bootimg import process
from tests.cluster import tekton
from tests.cluster.kubernetes import node
from tests.cluster.kubernetes.client import Json, Kubectl
from tests.cluster.kubernetes.control import start_control
from tests.cluster.machine.images import Image
from tests.cluster.machine.space import Space, own_namespaces
from tests.cluster.machine.waiting import wait_for
from tests.cluster.programs import compiled, debian
from tests.cluster.services import servers

IMAGE = "localhost/bootimg:checkout"
"""bootimg's image: links to this machine's own /usr and to the checkout, which every pod sees read-only."""
_CAP_SYS_ADMIN = 21
_SHOWN = ("/usr", "/etc/alternatives", "/etc/containers", "/etc/ld.so.cache", "/etc/mke2fs.conf")


def why_not() -> str | None:
    """Why no cluster can run here, or None."""
    if os.geteuid() != 0:
        return "a cluster needs root"
    if not _capabilities() >> _CAP_SYS_ADMIN & 1:
        return "a cluster needs the capability CAP_SYS_ADMIN"
    if os.uname().machine != "x86_64":
        return "the cluster's programs are made for x86_64"
    missing = [name for name in ("unshare", "nsenter", "ip", "openssl", "skopeo") if not process.find(name)]
    if missing:
        return f"a cluster needs {', '.join(missing)}"
    return debian.why_not() or compiled.why_not()


def _capabilities() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("CapEff:")), 16)


@dataclass(frozen=True)
class Cluster:
    """A running cluster."""

    space: Space
    kubectl: Kubectl

    def restart_node(self) -> None:
        """Kill the kubelet and containerd, and start them again; containers go on meanwhile."""
        for name in ("kubelet", "containerd"):
            self.space.stop(name, signal.SIGKILL)
        node.run_containerd(self.space)
        node.run_kubelet(self.space, self.kubectl)

    def restart_controller(self) -> None:
        """Kill Tekton's controller, and start it again."""
        self.space.stop("controller", signal.SIGKILL)
        tekton.start_controller(self.space, self.kubectl, compiled.tekton())

    def make_namespace(self, name: str, *objects: Json) -> Kubectl:
        """A namespace in which only pods that meet the profile `restricted` may run; returns its client."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        self.kubectl.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        )
        within = self.kubectl.within(name)
        wait_for(f"the account of {name}", lambda: within.get("serviceaccount", "default"), self.space)
        if objects:
            within.apply(*objects)
        return within


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster with Tekton, S3, AWS and a registry; its files are in `folder`."""
    kube, parts, packages = compiled.kube(), compiled.tekton(), debian.root()
    path = [str(kube), *(str(packages / each) for each in ("usr/bin", "usr/sbin")), process.search_path()]
    with own_namespaces(folder, {"PATH": os.pathsep.join(path)}) as space:
        kubectl = Kubectl(space, folder / "kubeconfig")
        node.start_containerd(space, packages, tekton.PAUSE, shown_folders())
        start_control(space, kubectl)
        images = [own_image(), *tekton.images(parts, packages, compiled.pause())]
        node.import_images(space, images)
        node.run_kubelet(space, kubectl)
        tekton.start_tekton(space, kubectl, parts)
        servers.start_registry(space, packages)
        servers.start_clouds(space)
        node.wait_for_node(space, kubectl)
        yield Cluster(space, kubectl)
        space.check_alive()


def shown_folders() -> list[Path]:
    """What bootimg of the checkout and its programs need of this machine."""
    base = Path(sys.base_prefix)
    python = [] if base.is_relative_to("/usr") else [base]
    found = [servers.ROOT, *([] if Path(sys.prefix).is_relative_to(servers.ROOT) else [Path(sys.prefix)])]
    return [*(Path(each) for each in _SHOWN if Path(each).exists()), *python, *found]


def own_image() -> Image:
    """The image in which bootimg runs."""
    links = {name: f"usr/{name}" for name in ("bin", "sbin", "lib", "lib64")}
    path = f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/usr/sbin"
    return Image(
        IMAGE, links=links, environment={"PATH": path}, folders=("tmp", "etc", "cache", "builds", "usr")
    )

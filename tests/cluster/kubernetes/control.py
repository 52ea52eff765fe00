"""etcd, the API server, the controllers and the scheduler, as processes on the bridge."""

from __future__ import annotations

from bootimg import process
from tests.cluster.kubernetes import config
from tests.cluster.kubernetes.client import Kubectl
from tests.cluster.machine.space import ADDRESS, Space
from tests.cluster.machine.waiting import wait_for

ADMIN_TOKEN = "admin-token"
_ETCD, _PEERS = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
CONTROLLERS = (
    "garbage-collector-controller", "namespace-controller", "serviceaccount-controller",
    "root-ca-certificate-publisher-controller", "persistentvolume-binder-controller",
    "persistentvolumeclaim-protection-controller", "persistentvolume-protection-controller",
    "statefulset-controller", "node-lifecycle-controller", "taint-eviction-controller",
    "pod-garbage-collector-controller", "ephemeral-volume-controller", "clusterrole-aggregation-controller",
)  # fmt: skip


def start_control(space: Space, kubectl: Kubectl) -> None:
    """Start them; returns when the API server answers."""
    folder = space.folder
    _start_etcd(space)
    _start_api_server(space)
    config.write("kubeconfig.yaml", kubectl.config, address=ADDRESS, folder=folder, token=ADMIN_TOKEN)
    wait_for("the API server", lambda: not kubectl("get", "--raw", "/readyz", check=False).returncode, space)
    common = (
        f"--kubeconfig={kubectl.config}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        "--profiling=false",
    )
    space.start(
        "manager", "kube-controller-manager", *common,
        f"--service-account-private-key-file={folder}/account.key",
        f"--root-ca-file={folder}/certificates/apiserver.crt", f"--cert-dir={folder}/certificates-manager",
        f"--controllers={','.join(CONTROLLERS)}",
    )  # fmt: skip
    space.start(
        "scheduler", "kube-scheduler", *common, f"--cert-dir={folder}/certificates-scheduler",
        f"--authentication-kubeconfig={kubectl.config}", f"--authorization-kubeconfig={kubectl.config}",
    )  # fmt: skip


def _start_etcd(space: Space) -> None:
    # Its data is in memory: the cluster's state need not outlive the cluster, and syncs would take long.
    space.start(
        "etcd", "etcd", "--name=cluster", "--data-dir=/dev/shm/etcd",
        f"--listen-client-urls={_ETCD}", f"--advertise-client-urls={_ETCD}",
        f"--listen-peer-urls={_PEERS}", f"--initial-advertise-peer-urls={_PEERS}",
        f"--initial-cluster=cluster={_PEERS}",
    )  # fmt: skip


def _start_api_server(space: Space) -> None:
    folder = space.folder
    key = folder / "account.key"
    openssl = process.require("openssl", packages="openssl")
    process.run([openssl, "genpkey", "-algorithm", "RSA", "-out", key])
    tokens = folder / "tokens"
    tokens.write_text(f"{ADMIN_TOKEN},admin,admin,system:masters\n")
    space.start(
        "apiserver", "kube-apiserver", f"--etcd-servers={_ETCD}", f"--cert-dir={folder}/certificates",
        f"--bind-address={ADDRESS}", f"--advertise-address={ADDRESS}", "--secure-port=6443",
        f"--token-auth-file={tokens}", "--authorization-mode=RBAC", "--allow-privileged",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
        # There is no kube-proxy: the API server itself finds the webhook behind its Service.
        "--enable-aggregator-routing=true", "--endpoint-reconciler-type=none",
        "--kubelet-preferred-address-types=InternalIP", "--profiling=false",
    )  # fmt: skip

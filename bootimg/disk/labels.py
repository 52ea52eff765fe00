"""SELinux labels of what lies outside the deployment, with the deployment's own policy.

The files of the commit carry their labels since the import.  ostree labels what a deployment adds
only where SELinux is enabled, which it is not in the appliance, so this is done here and last.
"""

from __future__ import annotations

from collections.abc import Sequence

from bootimg.appliance import Appliance
from bootimg.disk.ostree_deploy import SYSROOT, Deployment
from bootimg.manifest.recipe import Labels

OBJECTS = f"{SYSROOT}/ostree/repo/objects"


def label_empty(vm: Appliance, labels: Labels) -> None:
    """Label file systems that hold no content yet, with the tool tree's copy of the layer's policy.

    This reaches the mount points, which a mounted file system hides later.
    """
    target = f"{SYSROOT}{labels.target}".rstrip("/")
    excluded = [f"{SYSROOT}{path}" for path in labels.exclude_paths]
    setfiles(vm, f"/{labels.file_contexts.lstrip('/')}", SYSROOT, target, exclude=excluded)


def label_disk(vm: Appliance, labels: Labels, deployment: Deployment, unlabelled: Sequence[str]) -> None:
    """Label the deployment's /etc, the stateroot's /var, the physical root and what is mounted on it.

    Left out: `unlabelled` (the ESP, which has no attributes), the deployment itself and the
    repository's objects, which are the commit's files and carry its labels.
    """
    contexts = f"{deployment.root}/{labels.file_contexts.lstrip('/')}"
    var = f"{deployment.stateroot}/var"
    excluded = [f"{SYSROOT}{path}" for path in labels.exclude_paths]
    setfiles(vm, contexts, deployment.root, f"{deployment.root}/etc")
    setfiles(vm, contexts, deployment.stateroot, var)
    setfiles(vm, contexts, SYSROOT, SYSROOT, exclude=(*unlabelled, *excluded, deployment.root, var, OBJECTS))
    # setfiles stays out of what is mounted below its path.
    setfiles(vm, contexts, SYSROOT, f"{SYSROOT}/boot", exclude=(*unlabelled, *excluded))


def setfiles(vm: Appliance, contexts: str, root: str, path: str, *, exclude: Sequence[str] = ()) -> None:
    """Label `path` and all below it; its labels are those of the path as seen from `root`."""
    excluded = [word for folder in exclude for word in ("-e", folder)]
    vm.run(["setfiles", "-F", "-r", root, *excluded, contexts, path], timeout=600)

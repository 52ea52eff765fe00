"""SELinux labels of files outside the deployment, from the deployment's own policy.

The files of the commit have labels since the import.  ostree labels what a deployment adds only if SELinux
is enabled.  It is not enabled in the appliance, so this module labels these files, as the last step.
"""

from __future__ import annotations

from collections.abc import Sequence

from bootimg.appliance import Appliance
from bootimg.disk.ostree_deploy import SYSROOT, Deployment
from bootimg.manifest.recipe import Labels

OBJECTS = f"{SYSROOT}/ostree/repo/objects"


def label_empty(vm: Appliance, labels: Labels) -> None:
    """Label file systems that are still empty, with the tool tree's copy of the layer's policy.

    This labels the mount points, which mounted file systems hide later.
    """
    target = f"{SYSROOT}{labels.target}".rstrip("/")
    excluded = [f"{SYSROOT}{path}" for path in labels.exclude_paths]
    setfiles(vm, f"/{labels.file_contexts.lstrip('/')}", SYSROOT, target, exclude=excluded)


def label_disk(vm: Appliance, labels: Labels, deployment: Deployment, unlabelled: Sequence[str]) -> None:
    """Label the deployment's /etc, the stateroot's /var, the physical root and what is mounted on it.

    Excluded are `unlabelled` (the ESP, which has no attributes), the deployment itself and the repository's
    objects, which are the commit's files and have labels already.
    """
    contexts = f"{deployment.root}/{labels.file_contexts.lstrip('/')}"
    var = f"{deployment.stateroot}/var"
    excluded = [f"{SYSROOT}{path}" for path in labels.exclude_paths]
    setfiles(vm, contexts, deployment.root, f"{deployment.root}/etc")
    setfiles(vm, contexts, deployment.stateroot, var)
    setfiles(vm, contexts, SYSROOT, SYSROOT, exclude=(*unlabelled, *excluded, deployment.root, var, OBJECTS))
    # setfiles does not enter file systems that are mounted below its path.
    setfiles(vm, contexts, SYSROOT, f"{SYSROOT}/boot", exclude=(*unlabelled, *excluded))


def setfiles(vm: Appliance, contexts: str, root: str, path: str, *, exclude: Sequence[str] = ()) -> None:
    """Label `path` and all below it; the policy gets the paths as seen from `root`."""
    excluded = [word for folder in exclude for word in ("-e", folder)]
    vm.run(["setfiles", "-F", "-r", root, *excluded, contexts, path], timeout=600)

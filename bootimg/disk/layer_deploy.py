"""The layer's own deploy, `ostree container image deploy`, run in the appliance: a way out.

It decompresses and hashes everything inside, where the import outside takes seconds; what it leaves is
by definition what the layer's tools expect.  The layer needs `ostree container` (ostree-rs-ext, which
rpm-ostree and bootc have in them) and skopeo.
"""

from __future__ import annotations

from enum import StrEnum

from bootimg.appliance import Appliance
from bootimg.disk.ostree_deploy import SYSROOT, Deployment, deployment_of
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree import Tree
from bootimg.manifest.recipe import Deploy

PROGRAMS = ("usr/libexec/libostree/ext/ostree-container", "usr/bin/skopeo")
_LAYOUT = "/run/bootimg-layer"
_TIMEOUT = 1800.0
_OWN = "leave out --deploy layer: bootimg deploys the layer without its programs"


class DeployWay(StrEnum):
    """Who makes the deployment: bootimg from the commit it imported, or the layer from its archive."""

    OWN = "own"
    LAYER = "layer"


def require_programs(tools: Tree, hint: str = _OWN) -> None:
    """Refuse a layer that cannot deploy itself; `hint` is the way without that."""
    missing = [f"/{program}" for program in PROGRAMS if not tools.exists(program)]
    if missing:
        raise BootimgError(
            "deploy-program-missing",
            f"the layer cannot deploy itself: it has no {' and no '.join(missing)}",
            hint=hint,
            exit_code=ExitCode.USAGE,
        )


def deploy_by_layer(vm: Appliance, device: str, osname: str, options: Deploy) -> Deployment:
    """Deploy the image whose OCI layout is the file system on `device`."""
    vm.run(["mkdir", "-p", _LAYOUT], timeout=60)
    vm.run(["mount", "-o", "ro", device, _LAYOUT], timeout=60)
    vm.run(
        [
            "ostree",
            "container",
            "image",
            "deploy",
            f"--sysroot={SYSROOT}",
            f"--stateroot={osname}",
            f"--imgref=ostree-unverified-image:oci:{_LAYOUT}",
            f"--target-imgref={options.target_imgref}",
            *(f"--karg={argument}" for argument in options.kernel_opts),
        ],
        timeout=_TIMEOUT,
    )
    vm.run(["umount", _LAYOUT], timeout=60)
    return deployment_of(vm, osname)

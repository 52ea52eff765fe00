"""The layer's own deploy, `ostree container image deploy`, run in the appliance: a fallback.

It decompresses and hashes everything in the appliance, while the import outside takes seconds.  Its result
is by definition what the layer's tools expect.  The layer needs skopeo and `ostree container`
(ostree-rs-ext, which is part of rpm-ostree and bootc).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from bootimg.appliance import Appliance
from bootimg.disk.blsentry import replace_options
from bootimg.disk.ostree_deploy import SYSROOT, Deployment, deployment_of
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Deploy

PROGRAMS = ("usr/libexec/libostree/ext/ostree-container", "usr/bin/skopeo")
_LAYOUT = "/run/bootimg-layer"
_ENTRIES = f"{SYSROOT}/boot/loader/entries/*.conf"
_BYTES = "surrogateescape"
_TIMEOUT = 1800.0
_WITHOUT = "leave out --deploy layer: bootimg deploys the layer without its programs"

OLD_APPLIANCE = "own"
"""The old name of DeployWay.APPLIANCE, still accepted."""


class DeployWay(StrEnum):
    """How the deployment is made.

    `native`: bootimg writes the whole disk without the appliance, where it can.  `appliance`: bootimg deploys
    the commit that it imported, in the appliance.  `layer`: the layer deploys its archive, in the appliance.
    """

    NATIVE = "native"
    APPLIANCE = "appliance"
    LAYER = "layer"

    @classmethod
    def _missing_(cls, value: object) -> DeployWay | None:
        return cls.APPLIANCE if value == OLD_APPLIANCE else None


def require_programs(tools: Tree, hint: str = _WITHOUT) -> None:
    """Refuse a layer that cannot deploy itself; `hint` tells the alternative."""
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
    deployment = deployment_of(vm, osname)
    _set_arguments(vm, options.kernel_opts)
    return deployment


def _set_arguments(vm: Appliance, arguments: Sequence[str]) -> None:
    """Give the boot entry exactly these kernel arguments, and the deployment's own `ostree=`.

    If `ostree container` is bootc, it appends the arguments of the layer's install configuration and kargs.d,
    which the recipe's arguments already include.
    """
    for path in vm.run(["sh", "-c", f"ls {_ENTRIES}"], timeout=60).decode().splitlines():
        before = vm.get(path).decode(errors=_BYTES)
        after = replace_options(before, arguments)
        if after != before:
            vm.put(path, after.encode(errors=_BYTES))

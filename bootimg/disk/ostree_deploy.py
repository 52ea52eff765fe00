"""The ostree part of a base disk: sysroot, repository, deployment.  Its commands run in the appliance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bootimg.appliance import Appliance
from bootimg.errors import BootimgError
from bootimg.layer.importing.importer import ImportedCommit
from bootimg.manifest.recipe import Attribute, Deploy

SYSROOT = "/sysroot"
REPO = f"{SYSROOT}/ostree/repo"
_SOURCE = "/run/bootimg-repo"
_ORIGIN = "/run/bootimg.origin"


@dataclass(frozen=True, slots=True)
class Deployment:
    """The paths of a deployment and its stateroot in the appliance."""

    root: str
    stateroot: str


def init_sysroot(vm: Appliance, osname: str) -> None:
    """Make an empty sysroot with one stateroot."""
    vm.run(["ostree", "admin", "init-fs", "--modern", SYSROOT], timeout=120)
    vm.run(["ostree", "admin", "os-init", osname, f"--sysroot={SYSROOT}"], timeout=120)


def configure_repo(vm: Appliance, config: Mapping[str, str]) -> None:
    """Set keys such as `sysroot.readonly` in the sysroot's repository."""
    for key, value in config.items():
        vm.run(["ostree", f"--repo={REPO}", "config", "set", key, value], timeout=60)


def pull(vm: Appliance, device: str, commit: ImportedCommit) -> None:
    """Copy the commit, the commits of its layers, and their refs from the repository image on `device`."""
    vm.run(["mkdir", "-p", _SOURCE], timeout=60)
    vm.run(["mount", "-o", "ro", device, _SOURCE], timeout=60)
    commits = sorted({commit.checksum, *commit.refs.values()})
    vm.run(["ostree", f"--repo={REPO}", "pull-local", "--disable-fsync", _SOURCE, *commits], timeout=1200)
    # The image has only these refs.  An encapsulated layer has dozens, and a program run for each is slow.
    vm.run(["cp", "-R", f"{_SOURCE}/refs/heads/.", f"{REPO}/refs/heads/"], timeout=60)
    vm.run(["umount", _SOURCE], timeout=60)


def deploy(vm: Appliance, osname: str, commit: str, options: Deploy) -> Deployment:
    """Deploy the commit with exactly these kernel arguments and the origin that updates follow."""
    vm.put(_ORIGIN, f"[origin]\ncontainer-image-reference={options.target_imgref}\n".encode())
    arguments = [f"--karg-append={argument}" for argument in options.kernel_opts]
    vm.run(
        [
            "ostree",
            "admin",
            "deploy",
            f"--sysroot={SYSROOT}",
            f"--os={osname}",
            f"--origin-file={_ORIGIN}",
            "--karg-none",
            *arguments,
            commit,
        ],
        timeout=900,
    )
    return deployment_of(vm, osname, commit)


def deployment_of(vm: Appliance, osname: str, commit: str = "") -> Deployment:
    """The only deployment of a stateroot; it must be of `commit` if that is given."""
    stateroot = f"{SYSROOT}/ostree/deploy/{osname}"
    argv = ["find", f"{stateroot}/deploy", "-mindepth", "1", "-maxdepth", "1", "-type", "d"]
    found = vm.run(argv, timeout=60).decode().splitlines()
    expected = f"{stateroot}/deploy/{commit}.0" if commit else "one deployment"
    if len(found) != 1 or (commit and found[0] != expected):
        raise BootimgError(
            "deployment-missing",
            "ostree reported success, but the deployment is not where it should be",
            context=[f"expected {expected}", f"console log: {vm.log}"],
        )
    return Deployment(found[0], stateroot)


def set_attribute(vm: Appliance, deployment: Deployment, attribute: Attribute) -> None:
    """Set or clear the immutable flag of a path of the deployment."""
    path = f"{deployment.root}/{attribute.path.strip('/')}".rstrip("/")
    vm.run(["chattr", "+i" if attribute.immutable else "-i", path], timeout=60)

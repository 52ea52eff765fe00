"""A disk on which the layer's own bootc installs the layer: `bootc install to-filesystem`.

bootc makes the deployment, its origin, the labels, the aleph and, through bootupd, the bootloader.  The
command line is that of osbuild's stage org.osbuild.bootc.install-to-filesystem.  The layer is an OCI
directory on a read-only file system, because bootc would unpack an archive in memory.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from bootimg.appliance import Appliance
from bootimg.disk import filesystems, labels
from bootimg.disk.ostree_deploy import SYSROOT
from bootimg.disk.stamp import stamp_ignition
from bootimg.errors import BootimgError
from bootimg.manifest.recipe import Bootc, Recipe
from bootimg.untrusted.jsonfile import find_object

ALEPH = ".bootc-aleph.json"
_SOURCE = "/run/bootimg-layer"
_KEYS = "/run/bootimg-authorized-keys"
# bootc looks for its host's /dev, /var/lib/containers, /var/tmp and /run/udev below /proc/1/root, and these
# must be the same as its own.  The root of the virtual machine's PID 1 is the appliance, not the tool tree.
# So bootc runs in its own PID namespace, below a shell that is PID 1 there.  The shell does not exec bootc,
# because bootc refuses to be PID 1.
_OWN_PIDS = ("unshare", "--fork", "--pid", "--mount-proc", "sh", "-c", '"$@"; exit $?', "sh")
# The appliance's /run and /var are empty at first.
_FOLDERS = ("/run/udev", "/var/lib/containers", "/var/tmp")


def install_argv(options: Bootc, source: str, target: str) -> list[str]:
    """The command line.  An empty mount specification is passed too."""
    argv = ["bootc", "install", "to-filesystem", "--source-imgref", source]
    argv += ["--skip-fetch-check", "--generic-image"]
    if options.ssh_keys:
        argv += ["--root-ssh-authorized-keys", _KEYS]
    for karg in options.kernel_args:
        argv += ["--karg", karg]
    if options.target_imgref:
        argv += ["--target-imgref", options.target_imgref]
    if options.stateroot:
        argv += ["--stateroot", options.stateroot]
    for name, spec in (("root", options.root_mount_spec), ("boot", options.boot_mount_spec)):
        if spec is not None:
            argv.append(f"--{name}-mount-spec={spec}")
    if options.skip_boot_uuid:
        argv.append("--bootupd-skip-boot-uuid")
    return [*argv, target]


def install(vm: Appliance, options: Bootc, device: str) -> None:
    """Install the layer from the OCI directory on `device` to the file systems mounted at /sysroot."""
    vm.run(["mkdir", "-p", _SOURCE, *_FOLDERS], timeout=60)
    vm.run(["mount", "-o", "ro", device, _SOURCE], timeout=60)
    if options.ssh_keys:
        vm.put(_KEYS, "".join(f"{key}\n" for key in options.ssh_keys).encode(), 0o600)
    vm.run([*_OWN_PIDS, *install_argv(options, f"oci:{_SOURCE}", SYSROOT)], timeout=3600)
    vm.run(["umount", _SOURCE], timeout=60)


def finish(vm: Appliance, recipe: Recipe, options: Bootc, disk: str) -> None:
    """Check the installation, correct the aleph, add the stamp and the links; label, trim and check.

    All of /boot is labelled again, because bootupd writes there after bootc has labelled it.  The ESP is left
    out: it has no extended attributes.
    """
    # bootc leaves the root file system read-only.
    filesystems.unmount(vm, recipe.mounts, trim=False)
    filesystems.mount(vm, recipe, disk, recipe.mounts)
    _check(vm, options)
    stamp_ignition(vm, options.ignition)
    made = [_correct_aleph(vm, options.target_imgref)]
    for link in options.links:
        made.append(f"{SYSROOT}{link.path}")
        vm.run(["ln", "-s", link.target, made[-1]], timeout=60)
    if recipe.labels:
        contexts = f"/{recipe.labels[-1].file_contexts.lstrip('/')}"
        esp = [filesystems.mount_point(each) for each in recipe.mounts if each.target == "/boot/efi"]
        labels.setfiles(vm, contexts, SYSROOT, f"{SYSROOT}/boot", exclude=esp)
        for path in made:
            labels.setfiles(vm, contexts, SYSROOT, path)
    filesystems.unmount(vm, recipe.mounts, trim=True)
    filesystems.check_filesystems(vm, recipe, disk)


def _correct_aleph(vm: Appliance, image: str | None) -> str:
    """Make the aleph name the image, and nothing of the machine that built the disk; returns its path.

    bootc writes to the aleph the path that it read the image from, which is a path of the appliance, and the
    version of the running kernel, which is the building machine's.
    """
    path = f"{SYSROOT}/{ALEPH}"
    aleph = find_object(vm.get(path))
    if aleph is None:
        raise _incomplete(["the aleph is not a JSON object"], vm)
    kept = {key: value for key, value in aleph.items() if key not in ("image", "kernel")}
    aleph = kept if image is None else {"image": image, **kept}
    vm.put(path, json.dumps(aleph, sort_keys=True, separators=(",", ":")).encode())
    return path


def _check(vm: Appliance, options: Bootc) -> None:
    """Require one deployment, one boot entry, the aleph, and no root= or boot= that was switched off."""
    names = vm.run(["sh", "-c", _LIST], timeout=60).decode().splitlines()
    wrong = []
    for what, ending in (("a deployment", ".0"), ("a boot entry", ".conf"), ("the aleph", ALEPH)):
        found = sum(name.endswith(ending) for name in names)
        if found != 1:
            wrong.append(f"{what} is missing" if not found else f"{found} times {what}")
    entries = [name for name in names if name.endswith(".conf")]
    words = vm.get(entries[0]).decode(errors="replace").split() if len(entries) == 1 else []
    specs = {"root=": options.root_mount_spec, "boot=": options.boot_mount_spec}
    for prefix, spec in specs.items():
        if spec == "":
            wrong += [f"the boot entry has {word}" for word in words if word.startswith(prefix)]
    if wrong:
        raise _incomplete(wrong, vm)


def _incomplete(wrong: Sequence[str], vm: Appliance) -> BootimgError:
    return BootimgError(
        "bootc-incomplete",
        "bootc reported success, but the installation is not as requested",
        context=[*wrong, f"log: {vm.log}"],
        hint="bootimg was tested with bootc 1.16.9: compare the layer's version with it",
    )


_LIST = (
    f"ls -d {SYSROOT}/ostree/deploy/*/deploy/*.0 {SYSROOT}/boot/loader/entries/*.conf {SYSROOT}/{ALEPH}"
    " 2>/dev/null || :"
)

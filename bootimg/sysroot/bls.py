"""The Boot Loader Specification entry of the deployment.

Source: libostree's install_deployment_kernel and ostree-bootconfig-parser.c.
The title's version is the commit's.
2025.2 and older name Android boot files that do not exist: such lines are left out.
"""

from __future__ import annotations

from bootimg.layer.declared.osrelease import parse_os_release
from bootimg.sysroot.commit import Commit
from bootimg.sysroot.kernel import Kernel
from bootimg.sysroot.unsupported import NativeUnsupportedError
from bootimg.sysroot.wanted import Wanted

# The first deployment of a disk without a boot/loader: bootversion 1, bootserial 0.
BOOT_VERSION = 1


def entry_name(wanted: Wanted) -> str:
    """The entry's file in loader/entries."""
    return f"ostree-1-{wanted.osname}.conf" if wanted.rules.osname_in_entry else "ostree-1.conf"


def kernel_folder(wanted: Wanted, kernel: Kernel) -> str:
    """The kernel's folder on /boot."""
    return f"ostree/{wanted.osname}-{kernel.checksum}"


def boot_link(wanted: Wanted, kernel: Kernel) -> str:
    """The link to the deployment that the kernel argument `ostree` names, from the physical root."""
    return f"ostree/boot.{BOOT_VERSION}/{wanted.osname}/{kernel.checksum}/0"


def bls_entry(wanted: Wanted, kernel: Kernel) -> bytes:
    """The entry.  Arguments keep order and repetitions; `$ignition_firstboot` is a variable of GRUB."""
    asked = wanted.sysroot.repo_config.get("sysroot.bootprefix") == "true"
    prefixed = asked and wanted.rules.bootprefix
    folder = f"/{kernel_folder(wanted, kernel)}"
    named = f"/boot{folder}" if prefixed else folder
    options = [*wanted.sysroot.deploy.kernel_opts, f"ostree=/{boot_link(wanted, kernel)}"]
    lines = [f"title {_title(wanted.commit)} (ostree:0)", "version 1", f"options {' '.join(options)}"]
    trees = f"{kernel.devicetree[0]} {named}/{kernel.devicetree[1]}" if kernel.devicetree else ""
    # Keys without a place of their own come after those that have one.
    lines += [trees] if trees.startswith("devicetree ") else []
    lines += [f"linux {named}/vmlinuz-{kernel.version}", f"initrd {named}/initramfs-{kernel.version}.img"]
    lines += [trees] if trees.startswith("fdtdir ") else []
    if any("\n" in line for line in lines):
        raise NativeUnsupportedError("the boot entry would have a line break in a value")
    return "".join(f"{line}\n" for line in lines).encode()


def _title(commit: Commit) -> str:
    """The system's name of os-release, and the commit's version unless the name has it."""
    data = commit.read(_release_path(commit))
    release = parse_os_release(data, _unlike)
    _require_alike(data)
    title = release.get("PRETTY_NAME", release.get("ID"))
    if title is None:
        raise NativeUnsupportedError("os-release of the commit has neither PRETTY_NAME nor ID")
    version = commit.metadata.get("version")
    return f"{title} {version}" if version and version not in title else title


def _unlike(why: str) -> NativeUnsupportedError:
    return NativeUnsupportedError(f"os-release of the commit is not what ostree reads: {why}")


def _require_alike(data: bytes) -> None:
    """Leave to ostree a name that its reader and ours may read differently."""
    for line in data.split(b"\n"):
        key, _, value = line.partition(b"=")
        # ostree takes blanks at the end for a part of the value.
        if key in (b"PRETTY_NAME", b"ID") and (not value or value != value.rstrip()):
            raise _unlike(f"{key.decode()} is empty or ends with a blank")


def _release_path(commit: Commit) -> str:
    for path in ("usr/lib/os-release", "usr/etc/os-release"):
        if commit.file(path):
            return path
    raise NativeUnsupportedError("the commit has no os-release that is a regular file")

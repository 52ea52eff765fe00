"""What the layer says about itself: labels, os-release, and what the builder of disk images reads."""

from __future__ import annotations

import json
from collections.abc import Mapping

from bootimg.arch import Arch
from tests.layer.recipe import Request

NAME = "Stand-in CoreOS"

_PLATFORMS = ("applehv", "aws", "azure", "gcp", "hetzner", "hyperv", "openstack", "oraclecloud", "qemu")

_SERIAL = ["serial --speed=115200", "terminal_input serial console", "terminal_output serial console"]
_SERIAL_1 = ["serial --unit=1 --speed=115200", "terminal_input serial", "terminal_output serial"]
_SERIAL_LAST = ["console=tty0", "console=ttyS0,115200n8"]
_SCREEN_LAST = ["console=ttyS0,115200n8", "console=tty0"]


def labels(request: Request, kernel: str, input_hash: str) -> dict[str, str]:
    """The labels of the image's config."""
    return {
        "containers.bootc": "1",
        "ostree.bootable": "1",
        "ostree.linux": kernel,
        "org.opencontainers.image.version": request.full_version,
        "org.opencontainers.image.title": NAME,
        "org.opencontainers.image.description": f"{NAME} {request.full_version}",
        "com.coreos.osname": "rhcos",
        "com.coreos.stream": f"rhel-{request.rhel_version}",
        "com.coreos.inputhash": input_hash,
    }


def without_ostree(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that are not ostree's."""
    return {name: value for name, value in labels.items() if not name.startswith("ostree.")}


def os_release(request: Request) -> str:
    """/usr/lib/os-release, with the fields that tie it to the version label."""
    version, rhel = request.full_version, request.rhel_version
    major = rhel.partition(".")[0]
    fields = {
        "NAME": f'"{NAME}"',
        "ID": '"rhel"',
        "ID_LIKE": '"fedora debian"',
        "VERSION": f'"{version} (Stand-in)"',
        "VERSION_ID": f'"{rhel}"',
        "VARIANT": '"CoreOS"',
        "VARIANT_ID": "coreos",
        "PLATFORM_ID": f'"platform:el{major}"',
        "PRETTY_NAME": f'"{NAME} {version}"',
        "OSTREE_VERSION": f"'{version}'",
        "IMAGE_VERSION": f"'{version}'",
    }
    return "".join(f"{name}={value}\n" for name, value in fields.items())


# The policy is there without being enforced.  The rest is how RHEL's kernel is set without being told, or
# what a boot without KVM gains most by: clearing huge pages took 30 s of it, loading BPF programs 10 s.
_EXTRA_KARGS = ["selinux=0", "lsm=lockdown,yama", "init_on_alloc=0", "transparent_hugepage=madvise"]


def image_json() -> dict[str, object]:
    """RHEL CoreOS's values, but for a disk of 4 GiB and kernel arguments of our own."""
    return {
        "size": 4,
        "extra-kargs": _EXTRA_KARGS,
        # Quick: mksquashfs's own level takes five times as long for a tenth less.
        "live-rootfs-fstype": "squashfs",
        "live-rootfs-fsoptions": "-comp zstd -Xcompression-level 3",
        "vmware-hw-version": 15,
        "vmware-os-type": "rhel8_64Guest",
        "vmware-secure-boot": False,
        "aws-imdsv2-only": False,
        "aws-volume-type": "gp2",
        "aws-x86-boot-mode": "legacy-bios",
    }


def serial_platforms_json(console: str) -> dict[str, dict[str, list[str]]]:
    """Console settings by platform where a serial port has one name on all of them."""
    arguments = ["console=tty0", f"console={console},115200n8"]
    return {name: {"kernel_arguments": arguments} for name in _PLATFORMS}


def platforms_json(arch: Arch = Arch.X86_64) -> dict[str, dict[str, list[str]]]:
    """Console settings by platform."""
    if arch is not Arch.X86_64:
        return serial_platforms_json(arch.row.hardware.console)

    def settings(kernel: list[str], grub: list[str] | None = None) -> dict[str, list[str]]:
        return ({"grub_commands": grub} if grub else {}) | {"kernel_arguments": kernel}

    table = {name: settings(_SERIAL_LAST, _SERIAL) for name in ("aws", "gcp", "ibmcloud", "qemu")}
    table |= {
        name: settings(_SCREEN_LAST, _SERIAL) for name in ("kubevirt", "openstack", "virtualbox", "vmware")
    }
    table["azure"] = settings(_SERIAL_LAST)
    table["packet"] = settings(["console=ttyS1,115200n8"], _SERIAL_1)
    return dict(sorted(table.items()))


def files(request: Request) -> Mapping[str, bytes]:
    """The files above, by path in the tree."""
    folder = "usr/share/coreos-assembler"
    return {
        "usr/lib/os-release": os_release(request).encode(),
        f"{folder}/image.json": json.dumps(image_json(), indent=2).encode() + b"\n",
        f"{folder}/platforms.json": json.dumps(platforms_json(request.arch), indent=2).encode() + b"\n",
    }

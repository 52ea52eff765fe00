"""How the layer is to be installed, by its image.json and its install configuration, for the recipes."""

from __future__ import annotations

import re

from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.facts import LayerFacts
from bootimg.layer.installconfig import InstallConfig, unsupported
from bootimg.manifest.render import BootcOptions

# An ostree image reference that names an image of a registry, which is all that bootc is told.
_REGISTRY = re.compile(
    "(?:ostree-unverified-registry:|ostree-(?:unverified-image|image-signed):(?:docker://|registry:))(.+)"
)
# What coreos-assembler's recipes have: old entries of GRUB's menu need no password.
GRUB_USERS = 'grub_users=""'


def bootc_options(facts: LayerFacts) -> BootcOptions | None:
    """The options for an installation by bootc; None where ostree deploys, as the layer wants it.

    Without a word of the layer they are those of every CoreOS image: no root= or boot= argument and no
    UUID in the bootloader's configuration, for the first boot gives the file systems UUIDs of their own.
    """
    config = facts.install_config
    if not facts.image_json.bootc_install_to_fs:
        _require_ostree(config, facts.osname)
        return None
    return BootcOptions(
        stateroot=config.stateroot,
        root_mount_spec=config.root_mount_spec or "",
        boot_mount_spec=config.boot_mount_spec or "",
        skip_boot_uuid=config.skip_boot_uuid is not False,
    )


def labelled_by_bootc(facts: LayerFacts) -> bool:
    """Whether bootc installs the layer and labels its files by a policy."""
    return facts.image_json.bootc_install_to_fs and facts.selinux_policy is not None


def bootc_imgref(imgref: str) -> str:
    """The image's name for `bootc install --target-imgref`, which knows no other transport."""
    match = _REGISTRY.fullmatch(imgref)
    if not match:
        raise BootimgError(
            "bootc-imgref-unsupported",
            "a machine that is installed by bootc takes its updates from a registry",
            context=[f"the image would be followed as {imgref}"],
            hint="say from which one: --target-imgref ostree-unverified-registry:quay.io/example/os:latest",
            exit_code=ExitCode.USAGE,
        )
    return match[1]


def kernel_arguments(facts: LayerFacts) -> tuple[str, ...]:
    """image.json's, and the install configuration's where bootc does not add them by itself."""
    own = () if facts.image_json.bootc_install_to_fs else facts.install_config.kargs
    return (*facts.image_json.extra_kargs, *own)


def bls_append_except_default(facts: LayerFacts) -> str:
    """What entries of the boot menu get that are not the default one."""
    wanted = facts.install_config.bls_append_except_default
    return GRUB_USERS if wanted is None else wanted


def _require_ostree(config: InstallConfig, osname: str) -> None:
    """Refuse what a deployment by ostree would not follow."""
    refused = {
        f"karg-deletes = {list(config.karg_deletes)}": bool(config.karg_deletes),
        f"stateroot = {config.stateroot!r}": config.stateroot not in (None, osname),
        f"root-mount-spec = {config.root_mount_spec!r}": bool(config.root_mount_spec),
        f"boot-mount-spec = {config.boot_mount_spec!r}": bool(config.boot_mount_spec),
        "bootupd.skip-boot-uuid = false": config.skip_boot_uuid is False,
    }
    for what, present in refused.items():
        if present:
            raise unsupported(f"install.{what}, without `bootc-install-to-fs: true` in image.json")

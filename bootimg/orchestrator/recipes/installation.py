"""How the layer is installed, by its image.json and its install configuration, for the recipes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.declared.facts import LayerFacts
from bootimg.layer.declared.installconfig import InstallConfig, unsupported
from bootimg.manifest.render import BootcOptions

# An ostree image reference that names an image in a registry; bootc supports no other transport.
_REGISTRY = re.compile(
    "(?:ostree-unverified-registry:|ostree-(?:unverified-image|image-signed):(?:docker://|registry:))(.+)"
)
# As in coreos-assembler's recipes: older entries of GRUB's menu need no password.
GRUB_USERS = 'grub_users=""'


def bootc_options(facts: LayerFacts) -> BootcOptions | None:
    """The options for an installation by bootc; None if ostree deploys, as the layer chooses.

    If the layer sets none, they are those of every CoreOS image: no root= or boot= argument and no UUID in
    the bootloader's configuration, because the first boot gives the file systems new UUIDs.
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
    """The image's name for `bootc install --target-imgref`, which supports registries only."""
    match = _REGISTRY.fullmatch(imgref)
    if not match:
        raise BootimgError(
            "bootc-imgref-unsupported",
            "a machine that bootc installs takes its updates from a registry",
            context=[f"the machine would take its updates from {imgref}"],
            hint="name an image there: --target-imgref ostree-unverified-registry:quay.io/example/os:latest",
            exit_code=ExitCode.USAGE,
        )
    return match[1]


def kernel_arguments(facts: LayerFacts) -> tuple[str, ...]:
    """The layer's arguments in bootc's order: install configuration, kargs.d, then image.json's.

    As in bootc, an argument that exists already is not added again.
    """
    found = _by_bootc(facts)
    return (*found, *(each for each in _unique(facts.image_json.extra_kargs) if each not in found))


def recipe_arguments(facts: LayerFacts) -> tuple[str, ...]:
    """The arguments in the recipe: all, or, if bootc installs, only those that bootc does not read itself."""
    found = _by_bootc(facts) if facts.image_json.bootc_install_to_fs else ()
    return tuple(each for each in kernel_arguments(facts) if each not in found)


def _by_bootc(facts: LayerFacts) -> tuple[str, ...]:
    """The arguments that bootc's installation reads from the layer: deletions apply only to these."""
    config = facts.install_config
    found = _unique((*config.kargs, *facts.kargs_d))
    return tuple(each for each in found if not any(_deletes(karg, each) for karg in config.karg_deletes))


def _deletes(deletion: str, argument: str) -> bool:
    """Whether bootc removes the argument: a bare name matches any value; in names, dash equals underscore."""
    name, equals, value = deletion.partition("=")
    own, own_equals, own_value = argument.partition("=")
    if name.replace("-", "_") != own.replace("-", "_"):
        return False
    return not equals or (own_equals, own_value) == (equals, value)


def _unique(arguments: Iterable[str]) -> tuple[str, ...]:
    # The recipe's language and YAML need a plain string.
    return tuple(dict.fromkeys(map(str, arguments)))


def bls_append_except_default(facts: LayerFacts) -> str:
    """What is appended to boot entries other than the default one."""
    configured = facts.install_config.bls_append_except_default
    return GRUB_USERS if configured is None else configured


def _require_ostree(config: InstallConfig, osname: str) -> None:
    """Refuse install settings that a deployment by ostree would ignore."""
    refused = {
        f"karg-deletes = {list(config.karg_deletes)}": any(
            _deletes(each, "rw") for each in config.karg_deletes
        ),
        f"stateroot = {config.stateroot!r}": config.stateroot not in (None, osname),
        f"root-mount-spec = {config.root_mount_spec!r}": bool(config.root_mount_spec),
        f"boot-mount-spec = {config.boot_mount_spec!r}": bool(config.boot_mount_spec),
        "bootupd.skip-boot-uuid = false": config.skip_boot_uuid is False,
    }
    for what, present in refused.items():
        if present:
            raise unsupported(f"install.{what}, without `bootc-install-to-fs: true` in image.json")

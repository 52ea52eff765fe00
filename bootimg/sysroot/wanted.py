"""What is to be laid out: the recipe, the commit and what the caller adds, as one value."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from bootimg.manifest.recipe import Recipe, Sysroot
from bootimg.sysroot.commit import Commit
from bootimg.sysroot.unsupported import NativeUnsupportedError
from bootimg.sysroot.versions import OstreeRules

_NANO = 10**9
_OSNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~^:@-]*")
# What these keys of the repository change on the disk is known.
_KEYS = {"sysroot.readonly", "sysroot.bootloader", "sysroot.bootprefix", "sysroot.bls-append-except-default"}
ROOT_MOUNT, BOOT_MOUNT, ESP_MOUNT = "/", "/boot", "/boot/efi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A system to lay out.

    `now` is the time, in nanoseconds, of whatever ostree would stamp with the clock's.
    """

    recipe: Recipe
    sysroot: Sysroot
    commit: Commit
    rules: OstreeRules
    now: int

    @property
    def osname(self) -> str:
        """The stateroot."""
        return self.sysroot.osname

    @property
    def stateroot(self) -> str:
        """The stateroot's folder, from the root of the file system."""
        return f"ostree/deploy/{self.osname}"

    @property
    def deployment(self) -> str:
        """The deployment's folder; its serial is 0: it is the first of its commit."""
        return f"{self.stateroot}/deploy/{self.commit.checksum}.0"

    @property
    def config(self) -> Mapping[str, str]:
        """The keys of the repository's configuration in the order in which they are set."""
        return {**self.sysroot.repo_config, **self.sysroot.repo_config_after}

    @property
    def immutable(self) -> bool:
        """Whether the deployment's root has the immutable flag: ostree sets it, the recipe may clear it."""
        flags = [each.immutable for each in (*self.sysroot.deployment_attributes, *self.recipe.attributes)]
        return flags[-1] if flags else True

    @property
    def labelled(self) -> bool:
        """Whether all has the SELinux labels of the layer's policy."""
        return self.sysroot.label_deployment and bool(self.recipe.labels)


def wanted(recipe: Recipe, commit: Commit, rules: OstreeRules) -> Wanted:
    """The system of a recipe; NativeUnsupportedError names what only the appliance can make of it."""
    sysroot = recipe.sysroot
    if sysroot is None:
        raise NativeUnsupportedError("bootc installs the layer by itself")
    reasons = {
        f"stateroot {sysroot.osname!r}": not _OSNAME.fullmatch(sysroot.osname),
        "flags of single files": any(
            each.path.strip("/") for each in (*sysroot.deployment_attributes, *recipe.attributes)
        ),
        "labels of file systems, but none of the deployment": bool(recipe.labels)
        and not sysroot.label_deployment,
        "paths without labels": any(each.exclude_paths for each in recipe.labels),
        "more file systems than the root, /boot and the ESP": not {each.target for each in recipe.mounts}
        <= {ROOT_MOUNT, BOOT_MOUNT, ESP_MOUNT},
        "no file system for /boot": not any(each.target == BOOT_MOUNT for each in recipe.mounts),
        f"stamp of Ignition in {sysroot.ignition.directory}": sysroot.ignition.directory.strip("/") != "boot",
        "a bootloader that ostree configures": sysroot.repo_config.get("sysroot.bootloader") != "none",
        "kernel arguments that ostree sets": any(
            each.startswith("ostree=") for each in sysroot.deploy.kernel_opts
        ),
        "directories elsewhere than on the root and /boot": _elsewhere(recipe),
        "keys of the repository's configuration": not {*sysroot.repo_config, *sysroot.repo_config_after}
        <= _KEYS,
    }
    for reason, present in reasons.items():
        if present:
            raise NativeUnsupportedError(f"the recipe wants what is not known here: {reason}")
    return Wanted(recipe=recipe, sysroot=sysroot, commit=commit, rules=rules, now=recipe.source_epoch * _NANO)


def _elsewhere(recipe: Recipe) -> bool:
    known = {None, *(mount.partition for mount in recipe.mounts)}
    if any(each.partition not in known for each in recipe.directories):
        return True
    return bool(made_directories(recipe)[ESP_MOUNT])


def made_directories(recipe: Recipe) -> Mapping[str, Mapping[str, int]]:
    """The modes of the directories that the recipe makes: of each mount, by path below it."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    targets = {mount.partition: mount.target for mount in recipe.mounts}
    own = recipe.sysroot.directories if recipe.sysroot else ()
    for each in (*recipe.directories, *own):
        if each.partition is None:
            mount, path = _below(each.path, list(targets.values()))
        else:
            mount, path = targets[each.partition], PurePosixPath("/", each.path)
        for parent in reversed(path.parents[:-1]):
            found[mount].setdefault(str(parent)[1:], 0o755)
        if str(path) != "/":
            found[mount][str(path)[1:]] = each.mode
    return found


def _below(path: str, mounts: list[str]) -> tuple[str, PurePosixPath]:
    """The mount that a path of the mounted tree is on, and the path there.

    A mount point itself belongs to the file system that it is mounted on, where the recipe makes it too.
    """
    pure = PurePosixPath("/", path.strip("/"))
    inside = [mount for mount in mounts if PurePosixPath(mount) in pure.parents]
    mount = max(inside, key=len)
    return mount, PurePosixPath("/", pure.relative_to(mount))

"""The names of blobs and gallery versions, and what marks them as a build's."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bootimg.cloud.plugin import BootimgError, ExitCode, Task

SHA256 = "bootimg:sha256"
"""The tag with the digest of the uncompressed artifact: whether a version is of this very build."""
BUILD = "bootimg:build"
_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9](-?[a-z0-9])*")
_LONGEST_BLOB = 1024
_MOST = 2**31 - 1
_GALLERY_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,78}[A-Za-z0-9])?")


def blob_name(task: Task) -> str:
    """The name of the blob, which is that of the uncompressed artifact, as coreos-assembler has it.

    `cloud-name-invalid` if Azure does not allow it.
    """
    name = task.content.name
    if not name.endswith(".vhd"):
        raise _invalid(f"the name {name!r:.200} for the blob of a disk", "it ends in .vhd")
    if len(name) > _LONGEST_BLOB:
        raise _invalid(f"the name {name!r:.200} for a blob", f"it has at most {_LONGEST_BLOB} characters")
    return name


def container_name(task: Task) -> str:
    """The container; `cloud-setting-missing` or `cloud-name-invalid`."""
    name = task.settings.needed("storage_container", "name it with --set storage_container=…")
    if not _CONTAINER.fullmatch(name):
        rule = "it has 3 to 63 small letters, digits and single hyphens"
        raise _invalid(f"the name {name!r:.200} for a container", rule)
    return name


def definition_name(task: Task) -> str:
    """The image definition of the architecture: the setting's, else `<name>-<arch>`."""
    wanted = task.settings.values.get("image_definition")
    if isinstance(wanted, Mapping):
        wanted = wanted.get(task.arch)
    name = f"{task.name}-{task.arch}" if wanted is None else wanted
    if not isinstance(name, str):
        raise task.settings.invalid(f"image_definition has no name for {task.arch}")
    if not _GALLERY_NAME.fullmatch(name):
        rule = "it has up to 80 letters, digits and inner dots, hyphens and underscores"
        raise _invalid(f"the name {name!r:.200} for an image definition", rule)
    return name


def version_name(task: Task) -> str:
    """The gallery version of a build: three numbers of 32 bits.

    Of a build id with four numbers, the last two become one: `9.6.20261101-2` is `9.6.2026110102`.
    `cloud-name-invalid` if that is not possible.
    """
    chosen = task.settings.text("image_version")
    found = [int(each) for each in re.findall(r"\d+", chosen or task.build)]
    if len(found) == 4 and found[3] < 100:
        found[2:] = [found[2] * 100 + found[3]]
    if len(found) != 3 or max(found) > _MOST or (chosen and ".".join(map(str, found)) != chosen):
        what = f"{chosen or task.build!r:.200} as the version of an image"
        raise _invalid(what, "a version is three numbers of 32 bits: set it with --set image_version=1.2.3")
    return ".".join(map(str, found))


def version_tags(task: Task) -> dict[str, str]:
    """The tags of a gallery version: those of the settings and ours."""
    return {**task.settings.pairs("tags"), SHA256: task.content.sha256, BUILD: f"{task.build}/{task.arch}"}


def region_name(name: str) -> str:
    """The short name of a region: Azure says `East US 2` for `eastus2`."""
    return name.replace(" ", "").lower()


def _invalid(what: str, rule: str) -> BootimgError:
    return BootimgError(
        "cloud-name-invalid", f"Azure does not allow {what}", hint=rule, exit_code=ExitCode.USAGE
    )

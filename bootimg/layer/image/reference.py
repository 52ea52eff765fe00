"""Image references: those of skopeo, registry names without transport, and plain paths."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.image.imagename import invalid_reference, name_fault, split_name, without_spare_tag

_UNSUPPORTED = ("dir", "docker-archive", "docker-daemon", "ostree", "sif", "tarball", "atomic")
_DEFAULT_NAME = "layer"
_USERINFO = re.compile(r"[^/@]*:[^/@]*@[^/]*/|[^/@]+@[^/:]+(:\d+)?/")


class Transport(StrEnum):
    """The kind of place an image is read from, by skopeo's name."""

    REGISTRY = "docker"
    STORAGE = "containers-storage"
    DIRECTORY = "oci"
    ARCHIVE = "oci-archive"


@dataclass(frozen=True, slots=True)
class Reference:
    """A transport and a name in it; for local layouts the name is a path and `tag` may pick an image.

    A name with a digest has no tag: the digest alone decides, as in podman.
    """

    transport: Transport
    name: str
    tag: str | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        slashes = "//" if self.transport is Transport.REGISTRY else ""
        return f"{self.transport}:{slashes}{self.name}{tag}"

    @property
    def repository(self) -> str:
        """A registry name without tag and digest."""
        return split_name(self.name)[0]


def parse_reference(text: str) -> Reference:
    """The image that `text` refers to.  An existing path takes precedence over a registry name."""
    scheme, colon, rest = text.partition(":")
    if colon and scheme in ("docker", "containers-storage", "oci", "oci-archive"):
        return _with_transport(Transport(scheme), rest, text)
    if colon and scheme in _UNSUPPORTED:
        raise BootimgError(
            "layer-transport-unsupported",
            f"images are not read from {scheme}:",
            hint="copy it first, for example: skopeo copy --preserve-digests … oci-archive:layer.ociarchive",
            exit_code=ExitCode.USAGE,
        )
    if found := _local(text):
        return Reference(_kind_of(Path(found[0])), *found)
    if text.startswith((".", "/", "~")) or not text:
        raise not_found(text, "there is no such file or directory")
    return _registry(text, ", and no such path exists")


def _with_transport(transport: Transport, rest: str, text: str) -> Reference:
    if transport is Transport.REGISTRY:
        if not rest.startswith("//") or len(rest) == 2:
            raise invalid_reference("a registry reference is written docker://host/name:tag")
        return _registry(rest[2:])
    if not rest:
        raise invalid_reference(f"{text[:200]} names no image")
    if transport is Transport.STORAGE:
        return Reference(transport, without_spare_tag(rest))
    path = rest.partition(":")[0]
    if not path:
        raise invalid_reference(f"{text[:200]} names no path")
    if (found := _local(rest)) is None:
        raise not_found(path, "there is no such file or directory")
    return Reference(transport, *found)


def _local(text: str) -> tuple[str, str | None] | None:
    """An existing path and the tag after it, if any; a path may have colons."""
    first, _, behind_first = text.partition(":")
    last, _, behind_last = text.rpartition(":")
    for name, tag in ((text, None), (first, behind_first or None), (last, behind_last or None)):
        if name and _exists(name):
            return name, tag
    return None


def shipped_name(reference: str, digest: str) -> str:
    """How a boot image names the local image that it was made from: by name and digest.

    `reference` is a `Reference` as text.  Folders are left out, those of podman's storage too: they are
    paths of the machine that builds.  Characters that may have a meaning in an origin file become `_`.
    """
    transport, _, rest = reference.partition(":")
    if transport == Transport.STORAGE:
        # [driver@folder+folder] names the storage, `name:tag@digest` the image.
        name = Reference(Transport.STORAGE, re.sub(r"^\[[^\]]*\]", "", rest)).repository
    else:
        path = rest if _exists(rest) else rest.partition(":")[0]
        name = path.rstrip("/").rpartition("/")[2]
    name = re.sub(r"[^A-Za-z0-9._+~/-]", "_", name).strip("./")
    return f"{transport}:{name or _DEFAULT_NAME}@{digest}"


def _registry(name: str, more: str = "") -> Reference:
    if _USERINFO.match(name):
        # Not repeated in the message: it would put a password into logs.
        raise invalid_reference(
            "it has a user name or password in it; log in with `skopeo login` or use --authfile"
        )
    if fault := name_fault(name):
        raise invalid_reference(f"{name[:200]!r} is not a registry name ({fault}){more}")
    return Reference(Transport.REGISTRY, without_spare_tag(name))


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except ValueError:
        # The name has a NUL byte.
        return False
    except OSError as error:
        # The name is too long, or this user may not search the folder: it may be a registry's.
        if error.errno not in (errno.ENAMETOOLONG, errno.EACCES):
            raise
        return False


def _kind_of(path: Path) -> Transport:
    return Transport.DIRECTORY if path.is_dir() else Transport.ARCHIVE


def not_found(reference: str, why: str) -> BootimgError:
    """The error for an image that does not exist where the reference points."""
    return BootimgError(
        "layer-not-found",
        f"there is no image {reference[:500]}",
        context=[why] if why else (),
        hint="check the name and the tag; `skopeo list-tags docker://…` lists a repository's tags",
        exit_code=ExitCode.USAGE,
    )

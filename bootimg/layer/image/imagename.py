"""Names of images in registries.

The grammar is that of distribution/reference, which skopeo and podman follow.  IPv6 hosts are allowed, as
in its newer versions.  skopeo refuses a name with both a tag and a digest.  podman drops the tag, and so
does this module: the digest alone identifies the image.
"""

from __future__ import annotations

import re

from bootimg.errors import BootimgError, ExitCode

_MAX_LENGTH = 255
"""The most characters of a name with its registry, without tag and digest."""
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{{1,5}}))?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*")
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}"
_TAG_AND_DIGEST = re.compile(rf"(.+):{_TAG}@({_DIGEST})")

# The forms in which ostree writes a registry's image.
_OF_REGISTRY = re.compile(
    "(ostree-(?:unverified-registry:|remote-registry:[^:]+:"
    "|(?:unverified-image|image-signed|remote-image:[^:]+):(?:docker://|registry:)))(.+)"
)


def without_spare_tag(name: str) -> str:
    """The name without its tag if it also has a digest; any other text unchanged."""
    match = _TAG_AND_DIGEST.fullmatch(name)
    return f"{match[1]}@{match[2]}" if match else name


def imgref_without_spare_tag(imgref: str) -> str:
    """The same for an image reference as ostree writes it."""
    match = _OF_REGISTRY.fullmatch(imgref)
    return match[1] + without_spare_tag(match[2]) if match else imgref


def split_name(name: str) -> tuple[str, str | None, str | None]:
    """Repository (with its registry), tag and digest of a name; a missing tag or digest is None."""
    rest, at, digest = name.partition("@")
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    return head + slash + last, tag if colon else None, digest if at else None


def name_fault(name: str) -> str | None:
    """Why the text is not the name of an image in a registry; None if it is."""
    repository, tag, digest = split_name(name)
    if tag is not None and not re.fullmatch(_TAG, tag):
        return "the tag is empty" if not tag else f"{tag[:80]!r} is not a tag"
    if digest is not None and not re.fullmatch(_DIGEST, digest):
        return f"{digest[:80]!r} is not a digest: write sha256: and 64 hexadecimal digits in lower case"
    return _repository_fault(repository)


def _repository_fault(repository: str) -> str | None:
    host, path = _split_host(repository)
    match = _HOST.fullmatch(host) if host else None
    if host and (match is None or int(match[1] or 0) > 0xFFFF):
        return f"{host[:80]!r} is not a registry's host name, with or without a port"
    for part in path.split("/"):
        if part != part.lower():
            return f"{part[:80]!r} is not in lower case, as names of repositories must be"
        if not _COMPONENT.fullmatch(part):
            return f"{part[:80]!r} cannot be a part of a repository's name"
    if len(repository) > _MAX_LENGTH:
        return f"the name is longer than {_MAX_LENGTH} characters"
    if not host and re.fullmatch("[0-9a-f]{64}", path):
        return "64 hexadecimal digits are an image's id, not a name"
    return None


def _split_host(repository: str) -> tuple[str, str]:
    """The registry's host (empty if the name has none) and the path in that registry."""
    first, slash, rest = repository.partition("/")
    is_host = slash and (
        first != first.lower() or first == "localhost" or any(each in first for each in ".:")
    )
    return (first, rest) if is_host else ("", repository)


def invalid_reference(why: str) -> BootimgError:
    """The error for a reference that cannot name an image."""
    return BootimgError(
        "layer-reference-invalid",
        f"the image reference cannot be used: {why}",
        hint="write quay.io/name:tag, docker://…, containers-storage:…, oci:DIR, oci-archive:FILE or a path",
        exit_code=ExitCode.USAGE,
    )

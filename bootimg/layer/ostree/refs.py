"""Names of the refs under which ostree-rs-ext keeps images and their layers."""

from __future__ import annotations

_SIGNATURES = ("ostree-image-signed:", "ostree-unverified-image:")
_REGISTRY = ("ostree-unverified-registry:", "registry:")


def image_ref(imgref: str) -> str:
    """The ref of an image reference such as `docker://quay.io/x:y`.

    The prefix that in an origin file declares how signatures are checked is not part of the ref's name.
    """
    if imgref.startswith("ostree-remote-image:"):
        imgref = imgref.split(":", 2)[2]
    elif imgref.startswith("ostree-remote-registry:"):
        imgref = "registry:" + imgref.split(":", 2)[2]
    for prefix in _SIGNATURES:
        imgref = imgref.removeprefix(prefix)
    for prefix in _REGISTRY:
        if imgref.startswith(prefix):
            imgref = "docker://" + imgref.removeprefix(prefix)
    return "ostree/container/image/" + escape(imgref)


def layer_ref(digest: str) -> str:
    """The ref of a layer by the digest of its blob."""
    return "ostree/container/blob/" + escape(digest)


def escape(text: str) -> str:
    """ostree-rs-ext's escaping: `_` is doubled; all but ASCII letters, digits and `-` become `_XX_`.

    A slash is kept between two names, that is after a letter or digit and not at the end.
    """
    out = []
    after_name = False
    for position, char in enumerate(text):
        name = char.isascii() and char.isalnum()
        if name or char == "-" or (char == "/" and after_name and position + 1 < len(text)):
            out.append(char)
        else:
            out.append("__" if char == "_" else f"_{ord(char):02X}_")
        after_name = name
    return "".join(out)

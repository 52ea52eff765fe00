"""Names that come from a builds tree of somebody else's, before a path or a key is made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, TypeGuard

from bootimg.arch import Arch
from bootimg.builds.layout import BUILDS, COMMIT_META, LATEST, META, SIGNATURES
from bootimg.builds.malformed import malformed_meta, unreadable_meta
from bootimg.builds.record import RECORD
from bootimg.errors import BootimgError
from bootimg.printable import shown
from bootimg.targets import INTOTO, SPDX
from bootimg.untrusted.node import MOST, Fields, Node

_OWN = (META, RECORD, BUILDS, COMMIT_META)
"""What the tree itself has in a build's folder, or beside the folders."""
_BESIDE = (*SIGNATURES, SPDX, INTOTO)
"""How names of signatures, of the SBOM and of the provenance end."""
_COMPRESSED = re.compile(r"\.(gz|xz|zst)$")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~^:@-]{0,254}")


def safe_name(name: object, where: str) -> str:
    """The name of a build or a file, if it is one that stays in its folder: else `build-meta-malformed`."""
    if not is_name(name):
        raise malformed_meta(where, f"has a name that cannot be: {shown(name)}")
    return name


def safe_images(meta: Mapping[str, Any], where: str) -> dict[str, dict[str, Any]]:
    """`images` of a meta.json, each with a file name of its own and a digest; `build-meta-malformed`."""
    images: dict[str, dict[str, Any]] = {}
    for key, node in images_of(meta, where).items():
        fields = node.fields()
        fields.required("sha256", str)
        fields.number("size")
        fields.take("uncompressed-sha256", str)
        fields.number("uncompressed-size")
        path = safe_name(fields.required("path", str), f"{where}: {key:.80}")
        if is_taken(path):
            raise malformed_meta(
                where, f"calls {key:.80} {path}, which is the name of another file of a build"
            )
        images[key] = fields.values
    first: dict[str, str] = {}
    for key, entry in images.items():
        other = first.setdefault(entry["path"], key)
        if images[other]["sha256"] != entry["sha256"]:
            raise _same_name(where, entry["path"], key, other)
    return images


def images_of(meta: Mapping[str, Any], where: str) -> dict[str, Node]:
    """`images` of a meta.json, whatever its entries are; `build-meta-malformed`."""
    return Fields(Node(dict(meta), partial(unreadable_meta, where))).members("images")


def require_free(path: str, key: str, images: Mapping[str, Mapping[str, Any]], where: str) -> None:
    """`build-meta-malformed` where `path`, which `key` shall have, is the name of another image's file."""
    for other, entry in images.items():
        if other != key and entry["path"] == path:
            raise _same_name(where, path, key, other)


def _same_name(where: str, path: str, *keys: str) -> BootimgError:
    which = " and ".join(f"{key:.80}" for key in keys)
    return malformed_meta(where, f"calls two images that differ {path}: {which}")


def is_taken(name: str) -> bool:
    """Whether no image may have that name: the tree's own files, SBOM, provenance and signatures do.

    A compressed image counts as its uncompressed file, which `bootimg uncompress` makes.
    """
    plain = _COMPRESSED.sub("", name)
    return any(each in _OWN or each.endswith(_BESIDE) for each in (name, plain))


def is_name(name: object) -> TypeGuard[str]:
    """Whether it can be the name of a build or a file."""
    return is_plain_name(name) and name not in (LATEST, BUILDS)


def is_plain_name(name: object) -> TypeGuard[str]:
    """Whether it is one component of a path that is not hidden: it stays in its folder."""
    return isinstance(name, str) and bool(_NAME.fullmatch(name))


def is_size(size: object) -> TypeGuard[int]:
    """Whether it can be the size of a file."""
    return type(size) is int and 0 <= size <= MOST


def known_arches(names: list[str]) -> list[Arch]:
    """Those of the architectures that bootimg knows; coreos-assembler has more (riscv64)."""
    return [arch for arch in Arch if arch.value in names]

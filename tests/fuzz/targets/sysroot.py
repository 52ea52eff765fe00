"""What a deployment is laid out from: a commit, prepare-root.conf, the layer's ostree."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from bootimg.sysroot.commit import read_commit
from bootimg.sysroot.prepareroot import enabled_in
from bootimg.sysroot.unsupported import NativeUnsupportedError
from bootimg.sysroot.versions import rules_of
from tests.fuzz.target import refusals, target
from tests.support.layers.encapsulated import commit_object

CONF = b"# comment\n[composefs]\nenabled = yes\nkeypath=/x\n[sysroot]\nreadonly = true\n"
PROGRAM = b"\x7fELF\02025.2\0inode64 libcurl composefs\0"


@target(lambda: [commit_object("00" * 32, "11" * 32)])
def deployed_commit(data: bytes, folder: Path) -> None:
    """A commit object, with its metadata."""
    with refusals(), suppress(NativeUnsupportedError):
        read_commit(data)


@target(lambda: [CONF, b"[composefs]\nenabled=verity\n"], words=["[composefs]", "enabled", "maybe", "="])
def composefs_enabled(data: bytes, folder: Path) -> None:
    """prepare-root.conf."""
    with refusals(), suppress(NativeUnsupportedError):
        enabled_in(data, "usr/lib/ostree/prepare-root.conf")


@target(lambda: [PROGRAM], words=["libcurl", "2025.2", "composefs"])
def ostree_rules(data: bytes, folder: Path) -> None:
    """The layer's program ostree."""
    with refusals(), suppress(NativeUnsupportedError):
        rules_of(data)

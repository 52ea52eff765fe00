"""The composefs settings in the layer's prepare-root.conf (ostree-prepare-root(1)).

A deployment needs a composefs image where that file enables it, else the system does not boot.
"""

from __future__ import annotations

from functools import partial

from bootimg.layer.declared.prepareroot import PATHS
from bootimg.sysroot.commit import Commit
from bootimg.sysroot.unsupported import NativeUnsupportedError
from bootimg.sysroot.wanted import Wanted
from bootimg.untrusted.keyfile import parse_key_file

_STATES = {"yes": "yes", "true": "yes", "1": "yes", "no": "no", "false": "no", "0": "no", "maybe": "maybe"}
_DIGEST = "ostree.composefs.digest.v0"
_KNOWN = {"enabled", "keypath"}


def needs_composefs(wanted: Wanted) -> bool:
    """Whether the layer's ostree writes a composefs image; NativeUnsupportedError for one with digests."""
    enabled = composefs_state(wanted.commit)
    if enabled == "yes" and not wanted.rules.composefs:
        raise NativeUnsupportedError("the layer enables composefs, which its ostree was built without")
    if not wanted.rules.writes_composefs(enabled):
        return False
    if _DIGEST in wanted.commit.metadata:
        raise NativeUnsupportedError("the commit names the digest of its composefs image")
    return True


def composefs_state(commit: Commit) -> str:
    """`yes`, `no`, `maybe`, or empty where the commit does not say."""
    found = {path: enabled_in(commit.read(path), path) for path in PATHS if commit.file(path)}
    if len(set(found.values())) > 1:
        raise NativeUnsupportedError(f"{' and '.join(found)} of the commit do not agree on composefs")
    return next(iter(found.values()), "")


def enabled_in(data: bytes, path: str) -> str:
    """What the file at `path` says."""
    settings = parse_key_file(data, partial(_unreadable, path)).get("composefs", {})
    if unknown := sorted(settings.keys() - _KNOWN):
        raise NativeUnsupportedError(f"/{path} has the key composefs.{unknown[0]:.80}")
    value = settings.get("enabled")
    if value is not None and value not in _STATES:
        raise NativeUnsupportedError(
            f"composefs.enabled is {value:.80} in /{path}: it needs digests of fs-verity"
        )
    return _STATES[value] if value is not None else ""


def _unreadable(path: str, why: str) -> NativeUnsupportedError:
    return NativeUnsupportedError(f"/{path} cannot be read: {why}")

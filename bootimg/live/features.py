"""features.json: what `coreos-installer iso customize` and `pxe customize` may ask of a live system.

Source: OsFeatures of coreos-installer (src/live/customize.rs) and the live stage of osbuild.  The file is on
the ISO and in the initramfs.
"""

from __future__ import annotations

import json
import re

from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tree.merged import Tree
from bootimg.live.iso.infofiles import NETWORK_FEATURE
from bootimg.sysroot.commit import Commit
from bootimg.untrusted.yamlfile import LIMIT, parse_yaml

INSTALLER = "usr/bin/coreos-installer"
EXAMPLE = "usr/share/coreos-installer/example-config.yaml"
"""The configuration file of coreos-installer with each directive that it knows."""
_DIRECTIVE = re.compile(r"[a-z][a-z0-9-]{0,63}")
_MOST = 200


def features_json(commit: Commit) -> bytes:
    """The file for a layer.

    Without coreos-installer in it, a live system reads no configuration of an installation and has no
    directives.  Raises `live-features-malformed` where the example configuration is not readable.
    """
    directives: tuple[str, ...] = ()
    if has_installer(commit):
        example = commit.file(EXAMPLE)
        _require_example(None if example is None else example.size)
        directives = _directives(commit.read(EXAMPLE))
    features = {
        "installer-config": bool(directives),
        "installer-config-directives": dict.fromkeys(directives, True),
        NETWORK_FEATURE: True,
    }
    return json.dumps(features, indent=2, sort_keys=True).encode() + b"\n"


def has_installer(commit: Commit) -> bool:
    """Whether the layer has coreos-installer."""
    return commit.file(INSTALLER) is not None


def brings_installer(tree: Tree) -> bool:
    """`has_installer` for a layer whose commit is not read."""
    return _is_file(tree.entries.get(INSTALLER))


def require_features(tree: Tree) -> None:
    """Raise `live-features-malformed` for a layer whose commit `features_json` would refuse."""
    if brings_installer(tree):
        example = tree.entries.get(EXAMPLE)
        _require_example(example.size if example is not None and _is_file(example) else None)
        _directives(tree.read(EXAMPLE))


def _is_file(entry: Entry | None) -> bool:
    return entry is not None and entry.kind is Kind.FILE


def _require_example(size: int | None) -> None:
    if size is None:
        raise _malformed("it is missing, although the layer has coreos-installer")
    if size > LIMIT:
        raise _malformed(f"it has more than {LIMIT} bytes")


def _directives(example: bytes) -> tuple[str, ...]:
    names = tuple(parse_yaml(example, _malformed).values)
    if not names or len(names) > _MOST or not all(map(_DIRECTIVE.fullmatch, names)):
        raise _malformed("its keys are not the names of directives")
    return names


def _malformed(what: str) -> BootimgError:
    return BootimgError(
        "live-features-malformed",
        "the layer does not say which directives its coreos-installer knows",
        context=[f"/{EXAMPLE}: {what}"],
        hint="write there what `coreos-installer pack example-config` of the layer prints",
        exit_code=ExitCode.USAGE,
    )

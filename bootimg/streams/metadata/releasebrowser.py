"""A build's path in the tree of streams, and its URLs in the release browser.

The mapping from versions is that of release-controller's pkg/rhcos.  It cannot distinguish CentOS Stream from
RHEL, so a layer's label takes precedence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

_STREAM_LABEL = "com.coreos.stream"
# Not anchored: release-controller searches in longer texts, and its test vectors depend on it.
_OCP = re.compile(r"([0-9])([0-9]+)\.([0-9]+)\.([0-9]+)-[0-9]+")
_RHEL = re.compile(r"([0-9]+)\.([0-9]+)\.[0-9]+-[0-9]+")
_CHANGEOVER = 202212000000
"""Builds with a later stamp are in the tree of streams."""
_SUFFIXED = {"92": "9.2", "94": "9.4", "96": "9.6"}
_MOST = 2**63 - 1


def stream_of(labels: Mapping[str, str], version: str, arch_suffix: str = "") -> str | None:
    """The stream's path from the layer's label, else from the version; None if neither decides it."""
    label = labels.get(_STREAM_LABEL)
    return f"prod/streams/{label}" if label else stream_for_version(version, arch_suffix)


def stream_for_version(version: str, arch_suffix: str = "") -> str | None:
    """The path that release-controller uses for a version; None if it has none.

    `arch_suffix` is empty for x86_64, otherwise for example `-s390x`; only paths of old builds contain it.
    """
    if not version.startswith("4"):
        found = _RHEL.search(version)
        return f"prod/streams/rhel-{found[1]}.{found[2]}" if found else None
    found = _OCP.search(version)
    if not found or max(len(found[2]), len(found[4])) > 19 or int(found[4]) > _MOST or int(found[2]) > _MOST:
        return None
    name = f"{found[1]}.{found[2]}"
    if int(found[4]) > _CHANGEOVER and int(found[2]) >= 9:
        rhel = _SUFFIXED.get(found[3])
        return f"prod/streams/{name}-{rhel}" if rhel else f"prod/streams/{name}"
    return f"releases/rhcos-{name}{arch_suffix}"


def diff_query(old: tuple[str, str], new: tuple[str, str], arch: str) -> str:
    """The query of the page that compares two builds, each given as a stream's path and a version."""
    return _query(
        first_stream=old[0], first_release=old[1], second_stream=new[0], second_release=new[1], arch=arch
    )


def _query(**values: str) -> str:
    """The query as Go's url.Values encodes it: sorted by name."""
    return urlencode(sorted(values.items()))

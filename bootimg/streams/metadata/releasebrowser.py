"""Where a build stands in the tree of streams, and on the pages of the release browser.

The mapping by version is that of release-controller's pkg/rhcos; as it cannot tell CentOS Stream from RHEL, a
layer's own label comes first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

_STREAM_LABEL = "com.coreos.stream"
# Not anchored: what is searched is part of longer texts there, and the test vectors count on it.
_OCP = re.compile(r"([0-9])([0-9]+)\.([0-9]+)\.([0-9]+)-[0-9]+")
_RHEL = re.compile(r"([0-9]+)\.([0-9]+)\.[0-9]+-[0-9]+")
_CHANGEOVER = 202212000000
"""The stamp after which builds are in the tree of streams."""
_SUFFIXED = {"92": "9.2", "94": "9.4", "96": "9.6"}
_MOST = 2**63 - 1


def stream_of(labels: Mapping[str, str], version: str, arch_suffix: str = "") -> str | None:
    """The stream's path by the layer's label, else by the version."""
    label = labels.get(_STREAM_LABEL)
    return f"prod/streams/{label}" if label else stream_for_version(version, arch_suffix)


def stream_for_version(version: str, arch_suffix: str = "") -> str | None:
    """The path that release-controller has for a version; None where it has none.

    `arch_suffix` is empty for x86_64, else such as `-s390x`; only the oldest builds have it in their paths.
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
    """The query of the page that compares two builds, each a stream's path and a version."""
    return _query(
        first_stream=old[0], first_release=old[1], second_stream=new[0], second_release=new[1], arch=arch
    )


def _query(**values: str) -> str:
    """As Go's url.Values writes it: sorted by name."""
    return urlencode(sorted(values.items()))

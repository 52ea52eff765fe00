"""The ConfigMap coreos-bootimages, which clusters use to update boot images.

The format is that of hack/build-coreos-manifest.go of openshift/installer: the default stream is under
`stream`, all streams are under `streams` by name, with marketplace data.  The release's version is filled in
when a payload is made.
"""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from bootimg.streams.metadata.codec import tree_of
from bootimg.streams.metadata.gojson import go_json
from bootimg.streams.metadata.stream import Stream

NAMESPACE, NAME = "openshift-machine-config-operator", "coreos-bootimages"
_CLUSTERS = ("ibm-cloud-managed", "self-managed-high-availability", "single-node-developer")


class _Text(str):
    """A string that YAML writes in literal style."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """A dumper that supports `_Text`."""


def _literal(dumper: yaml.SafeDumper, text: _Text) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")


_Dumper.add_representer(_Text, _literal)


def config_map(streams: Mapping[str, Stream], default: str) -> bytes:
    """The manifest in YAML with these streams by name; `default` is the stream for old clusters."""
    every = go_json({name: tree_of(streams[name]) for name in sorted(streams)})
    document = {
        "apiVersion": "v1",
        "data": {
            "releaseVersion": "0.0.1-snapshot",
            "stream": _Text(streams[default].encoded().decode().rstrip("\n")),
            "streams": _Text(every.decode().rstrip("\n")),
        },
        "kind": "ConfigMap",
        "metadata": {
            "annotations": {f"include.release.openshift.io/{each}": "true" for each in _CLUSTERS},
            "name": NAME,
            "namespace": NAMESPACE,
        },
    }
    text: str = yaml.dump(document, Dumper=_Dumper, allow_unicode=True, width=1 << 20)
    return text.encode()

"""The ConfigMap coreos-bootimages, which clusters keep and update boot images by.

As hack/build-coreos-manifest.go of openshift/installer makes it: one stream is the default under `stream`,
all are under `streams` by name, marketplace data in them.  The release's version is put in when a payload is
made.
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
    """A text that YAML writes line by line."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Knows such texts."""


def _literal(dumper: yaml.SafeDumper, text: _Text) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")


_Dumper.add_representer(_Text, _literal)


def config_map(streams: Mapping[str, Stream], default: str) -> bytes:
    """The manifest in YAML with these streams by name; `default` names the one for old clusters."""
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

"""features.json of layers with and without coreos-installer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bootimg.errors import BootimgError
from bootimg.live.features import EXAMPLE, INSTALLER, features_json
from tests.unit.live.layers import layer


def test_the_directives_are_those_of_the_example(tmp_path: Path) -> None:
    """Each key of the layer's example configuration, in the form that osbuild writes."""
    example = b"# Fedora CoreOS stream\nstream: name\nconsole: [spec, spec]\ndest-device: path\n"
    data = features_json(layer(tmp_path, {INSTALLER: b"x", EXAMPLE: example}))
    assert json.loads(data) == {
        "installer-config": True,
        "installer-config-directives": {"console": True, "dest-device": True, "stream": True},
        "live-initrd-network": True,
    }
    assert data == json.dumps(json.loads(data), indent=2, sort_keys=True).encode() + b"\n"


def test_a_layer_without_the_installer_says_so(tmp_path: Path) -> None:
    """coreos-installer then refuses to customize an installation."""
    features = json.loads(features_json(layer(tmp_path, {"usr/bin/other": b"x"})))
    assert not features["installer-config"]
    assert features["installer-config-directives"] == {}


@pytest.mark.parametrize("example", [None, b"", b"[a]", b"a: 1\na: 2\n", b"A_b: 1\n", b"? {a: b}\n: c\n"])
def test_an_example_without_directives_is_refused(example: bytes | None, tmp_path: Path) -> None:
    """A missing file, other YAML than a table, names that are none."""
    files = {INSTALLER: b"x"} | ({} if example is None else {EXAMPLE: example})
    with pytest.raises(BootimgError, match="live-features-malformed"):
        features_json(layer(tmp_path, files))

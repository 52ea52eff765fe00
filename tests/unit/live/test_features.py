"""features.json of layers with and without coreos-installer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bootimg.errors import BootimgError
from bootimg.live.features import EXAMPLE, INSTALLER, features_json, require_features
from tests.unit.live.layers import layer, layer_tree


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


@pytest.mark.parametrize(
    "example",
    [None, b"x: 1\n" * 100_000, b"", b"[a]", b"a: 1\na: 2\n", b"A_b: 1\n", b"? {a: b}\n: c\n"],
    ids=range(7),
)
def test_an_example_without_directives_is_refused(example: bytes | None, tmp_path: Path) -> None:
    """A missing file, a huge one, other YAML than a table, names that are none; a plan knows it too."""
    files = {INSTALLER: b"x"} | ({} if example is None else {EXAMPLE: example})
    with pytest.raises(BootimgError, match="live-features-malformed"):
        features_json(layer(tmp_path / "commit", files))
    with pytest.raises(BootimgError, match="live-features-malformed"):
        require_features(layer_tree(tmp_path, files))


def test_a_plan_takes_what_a_build_takes(tmp_path: Path) -> None:
    require_features(layer_tree(tmp_path / "1", {INSTALLER: b"x", EXAMPLE: b"stream: name\n"}))
    require_features(layer_tree(tmp_path / "2", {"usr/bin/other": b"x"}))

"""No change of a manifest goes unnoticed: every one that the unit tests take a sample of."""

from __future__ import annotations

import pytest

from tests.support.layers.manifestchanges import MANIFESTS, unnoticed

WHOLE = "x86_64"


@pytest.mark.parametrize(
    "name", [WHOLE, *(pytest.param(name, marks=pytest.mark.matrix) for name in MANIFESTS if name != WHOLE)]
)
def test_no_change_of_the_manifest_goes_unnoticed(name: str) -> None:
    assert not unnoticed(MANIFESTS[name](), slice(None))

"""Layers below every limit stay below them through the whole import; what no repository keeps is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootimg.errors import BootimgError
from bootimg.layer.ostree.libostree import interpreter
from tests.hostile.case import CASES
from tests.hostile.cases import imports
from tests.hostile.run import results

QUICK = ("imported-large-attributes", "imported-opaque-whiteouts")
EVERY = [name for name, case in CASES.items() if case.read is imports.imported]


def has_libostree() -> bool:
    try:
        return bool(interpreter())
    except BootimgError:
        return False


pytestmark = pytest.mark.skipif(not has_libostree(), reason="libostree's binding is not installed")


def test_the_quick_ones(tmp_path: Path) -> None:
    found = {each.name: each.fault for each in results([CASES[name] for name in QUICK], tmp_path)}
    assert found == dict.fromkeys(QUICK)


@pytest.mark.matrix
@pytest.mark.parametrize("name", [name for name in EVERY if name not in QUICK])
def test_the_others(name: str, tmp_path: Path) -> None:
    [found] = results([CASES[name]], tmp_path)
    assert found.fault is None

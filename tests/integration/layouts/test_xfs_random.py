"""Random trees: xfs_repair finds nothing, and an independent reader finds the same tree."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings

from bootimg.disk.filetree import Node
from tests.support.xfs.xfsimages import empty_image, fill_and_check
from tests.support.xfs.xfsrandom import trees

UNHURRIED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture)


@given(nodes=trees())
@settings(max_examples=15, deadline=None, suppress_health_check=UNHURRIED, derandomize=True, database=None)
def test_a_random_tree(nodes: list[Node], tmp_path: Path) -> None:
    fill_and_check(empty_image(tmp_path / "root.xfs"), nodes)

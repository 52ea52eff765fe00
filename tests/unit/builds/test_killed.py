"""A tree of builds can be read whenever a process is killed, before some of its writes.

tests/integration/builds/test_killed_builds.py tries all of them.
"""

from pathlib import Path

import pytest

from tests.support.builds.killedbuilds import SCENARIOS, kill_before_writes


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_before_a_write_it_leaves_a_readable_tree(tmp_path: Path, name: str) -> None:
    kill_before_writes(SCENARIOS[name], tmp_path, every=11)

"""A tree of builds and a bucket can be read whenever a process is killed, before any of its writes."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.builds.killedbuilds import SCENARIOS, kill_before_writes
from tests.unit.builds.test_bucket import PUSH_WRITES, client, descriptions, endpoint, push_killed_before, s3

__all__ = ["client", "descriptions", "endpoint", "s3"]


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_before_any_write_it_leaves_a_readable_tree(tmp_path: Path, name: str) -> None:
    kill_before_writes(SCENARIOS[name], tmp_path, every=1)


def test_a_push_killed_before_any_write_is_gone_on_with(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    bucket: Any = request.getfixturevalue("s3")
    push_killed_before(PUSH_WRITES, bucket, tmp_path)

"""Calls of storage that fail, and signals that come, under a few cheap verbs.

`python -m tests.hostile.faults` and `python -m tests.hostile.stops` try many more.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from signal import Signals

import pytest

from tests.support.faults.library import CHANGE, Injection, make_library, why_not
from tests.support.faults.trial import Bench, bench

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("faults")
    with bench(folder, make_library(folder)) as found:
        yield found


FAULTS = [
    ("builds list", Injection("open", errno.EIO), "storage-failed"),
    ("builds list", Injection("list", errno.EMFILE), "storage-failed"),
    ("manifest", Injection("write", errno.ENOSPC, 3), "no-space-left"),
    ("manifest", Injection("tmpfile", errno.EOPNOTSUPP, lasting=True), "completed"),
    ("stream generate", Injection("sync", errno.EIO), "storage-failed"),
    ("stream generate", Injection("link", errno.EDQUOT), "no-space-left"),
    ("compress", Injection("lock", errno.ENOLCK), "storage-failed"),
    ("compress", Injection("read", errno.ESTALE, 9), "storage-failed or image-unreadable"),
    ("compress", Injection("write", errno.EIO, 12), "storage-failed"),
    ("builds prune", Injection("unlink", errno.EACCES, 3), "storage-failed"),
    ("cache gc", Injection("rename", errno.EROFS), "storage-failed"),
    ("plan", Injection("status", errno.ENAMETOOLONG, 30), "storage-failed"),
    ("plan", Injection("read", errno.EIO, 20), "storage-failed"),
]


@pytest.mark.parametrize(("verb", "injection", "outcome"), FAULTS, ids=str)
def test_a_fault_is_an_error_with_an_id_and_nothing_is_lost(
    tried: Bench, verb: str, injection: Injection, outcome: str
) -> None:
    found = tried.try_fault(verb, injection)
    assert found.wrong == "", found.said
    # Which call has which number may change.
    assert found.outcome in outcome.split(" or "), found.said


STOPS = [
    ("builds fetch", Signals.SIGKILL),
    ("builds push", Signals.SIGTERM),
    ("builds prune", Signals.SIGINT),
    ("compress", Signals.SIGKILL),
    ("stream generate", Signals.SIGTERM),
]


@pytest.mark.parametrize(("verb", "number"), STOPS, ids=str)
def test_a_verb_that_is_stopped_goes_on_and_nothing_is_lost(tried: Bench, verb: str, number: Signals) -> None:
    """In the middle of what it changes, and before its last change."""
    last = tried.changes(verb)
    for at in (last // 2, last):
        found = tried.try_fault(verb, Injection(CHANGE, 0, at, stops=number))
        assert found.wrong == "", found.said
        assert found.outcome in ("killed" if number is Signals.SIGKILL else "stopped", "completed")

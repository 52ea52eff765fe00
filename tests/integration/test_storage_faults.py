"""Calls of storage that fail under a few cheap verbs; `python -m tests.hostile.faults` tries many more."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from tests.support.faults.library import Injection, make_library, why_not
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

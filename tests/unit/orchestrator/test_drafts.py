"""A draft of live media: made again for a release, and recorded as a draft until that is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.builds.folder import BuildDir, open_build
from bootimg.builds.record import read_record
from bootimg.cache import Cache
from bootimg.checks.system import system_of_image
from bootimg.events import Events
from bootimg.orchestrator.journal import NAME, Journal
from bootimg.orchestrator.progress import BuildProgress
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.survey import has_all
from bootimg.orchestrator.targets.live import Live
from bootimg.orchestrator.targets.madewith import How, record_made, record_release
from bootimg.orchestrator.work import Work
from bootimg.targets import LIVE
from tests.unit.orchestrator.test_variables import layer


class Made(Live):
    """Live media of which no program is recorded."""

    def made_with(self, work: Work) -> Mapping[str, Mapping[str, str]]:
        return {}


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    """A build that has the four files, on the way to a draft of them."""
    opened = layer(tmp_path)
    request = Request(reference="", arch=Arch.X86_64, platforms=(), builds=tmp_path / "builds", draft=True)
    system = system_of_image(opened.image, opened.tree, tmp_path)
    with open_build(request.builds, "1", request.arch) as build:
        add_files(build)
        journal, cache = Journal(build.file(NAME)), Cache(tmp_path / "cache")
        yield Work(request, opened, build, journal, cache, Events(), BuildProgress(request), system)


def add_files(build: BuildDir) -> None:
    images = {key: {"path": key, "sha256": "0" * 64, "size": 1} for key in LIVE.meta_keys}
    for key in images:
        build.file(key).write_bytes(b"x")
    build.meta.merge({"images": images})


def has(work: Work, *, draft: bool) -> bool:
    return has_all(replace(work.request, draft=draft), work.build, LIVE)


def test_a_draft_is_enough_for_a_draft_only(work: Work) -> None:
    assert has(work, draft=False)
    record_made(work, [(Made(), How("native"))])
    assert (has(work, draft=True), has(work, draft=False)) == (True, False)


def test_a_draft_stays_one_until_all_files_are_made_again(work: Work) -> None:
    """A build that is interrupted must not take it for a release."""
    record_made(work, [(Made(), How("native"))])
    release = replace(work, request=replace(work.request, draft=False))
    record_made(release, [(Made(), How("native"))])
    assert not has(work, draft=False)
    record_release(release, Made())
    assert has(work, draft=False)
    assert not any(each.draft for each in read_record(work.build.path).made.values())

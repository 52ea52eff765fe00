"""The versions of the programs that write the file systems, as they tell them."""

from __future__ import annotations

import re
import shutil

import pytest

from bootimg.disk.native import NATIVE_PROGRAMS
from bootimg.disk.native.versions import native_versions


@pytest.mark.skipif(not all(map(shutil.which, NATIVE_PROGRAMS)), reason="not all programs are in PATH")
def test_every_package_has_its_version() -> None:
    found = native_versions()
    assert found.keys() == {*NATIVE_PROGRAMS.values()}
    assert all(re.fullmatch(r"\d+(\.\d+)+", each) for each in found.values()), found


def test_a_program_that_is_missing_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootimg.process.find", lambda name: None)
    assert {*native_versions().values()} == {"unknown"}

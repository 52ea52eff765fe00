"""The digest of the recipes is the one that in-toto's specification describes: anybody can make it."""

from __future__ import annotations

import shutil
import subprocess
from importlib.resources import as_file, files

import pytest

from bootimg.manifest.digest import recipes_digest
from bootimg.manifest.render import RECIPES


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
def test_it_is_what_sha256sum_prints() -> None:
    words = "find . -name '*.yaml' | cut -c3- | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -f1 -d' '"
    with as_file(files(RECIPES)) as folder:
        done = subprocess.run(["sh", "-c", words], cwd=folder, capture_output=True, text=True, check=True)
    assert recipes_digest() == done.stdout.strip()

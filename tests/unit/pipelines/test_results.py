"""Results of a task: fields of a document, small, one file each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bootimg.cli.main import bootimg
from bootimg.errors import BootimgError
from bootimg.pipelines.results import LIMIT, read_results

DOCUMENT = {
    "good": True,
    "build": "9.6",
    "arches": ["amd64", "s390x"],
    "found": [{"digest": "sha256:1"}],
    "n": 3,
}


def test_fields_become_texts_as_tekton_has_them() -> None:
    words = ["good", "build", "arches", "IMAGE_DIGEST=found.0.digest", "count=arches.length", "n"]
    assert read_results(DOCUMENT, words) == {
        "good": "true", "build": "9.6", "arches": '["amd64","s390x"]', "IMAGE_DIGEST": "sha256:1",
        "count": "2", "n": "3",
    }  # fmt: skip


@pytest.mark.parametrize(
    "word", ["none", "found.1.digest", "build.0", "found.x", "../x=build", "found.0.no", "good.a"]
)
def test_what_is_not_there_is_an_error(word: str) -> None:
    with pytest.raises(BootimgError) as caught:
        read_results(DOCUMENT, [word])
    assert caught.value.id == "pipeline-result-missing"


def test_results_that_tekton_would_lose_are_refused() -> None:
    assert read_results({"a": "x" * (LIMIT - 50)}, ["a"])
    with pytest.raises(BootimgError) as caught:
        read_results({"a": "x" * (LIMIT - 500), "b": "y" * 450}, ["a", "b"])
    assert caught.value.id == "pipeline-result-too-large"


def test_files_are_written(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text(json.dumps(DOCUMENT))
    words = [
        "pipeline",
        "results",
        str(tmp_path / "d.json"),
        "--into",
        str(tmp_path),
        "good",
        "d=found.0.digest",
    ]
    done = CliRunner().invoke(bootimg, words)
    assert done.exit_code == 0, done.output
    assert ((tmp_path / "good").read_text(), (tmp_path / "d").read_text()) == ("true", "sha256:1")
    (tmp_path / "d.json").write_text("no document")
    failed = CliRunner().invoke(bootimg, words)
    assert isinstance(failed.exception, BootimgError) and failed.exception.id == "pipeline-result-missing"

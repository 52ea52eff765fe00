"""Runs the verbs of the clouds, and reads what they leave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bootimg.cli.main import bootimg
from bootimg.errors import BootimgError, ExitCode

HOME = "us-east-1"


def invoke(verb: str, builds: Path, *words: object) -> Result:
    """The result of a verb; an error with an id is raised."""
    argv = [verb, "-o", builds, "--cache", builds.parent / "cache", "--json", *words]
    done = CliRunner().invoke(bootimg, list(map(str, argv)))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def run(verb: str, builds: Path, *words: object, code: int = ExitCode.OK) -> Any:  # noqa: ANN401
    """The JSON document of a verb that ends with this code."""
    done = invoke(verb, builds, *words)
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def failing(verb: str, builds: Path, *words: object) -> BootimgError:
    """The error that a verb raises."""
    with pytest.raises(BootimgError) as error:
        run(verb, builds, *words)
    return error.value


def upload(builds: Path, *words: object, code: int = ExitCode.OK) -> Any:  # noqa: ANN401
    """What an upload to the home region says of its one image."""
    document = run("upload", builds, "-p", "aws", "--region", HOME, *words, code=code)
    (found,) = document["uploads"]
    return found


def places(verb: str, builds: Path, *words: object, code: int = ExitCode.OK) -> dict[str, Any]:
    """What a verb says of each place."""
    (found,) = run(verb, builds, "-p", "aws", *words, code=code)["uploads"]
    return {each["place"]: each for each in found["places"]}


def failure(builds: Path, *words: object) -> Any:  # noqa: ANN401
    """The error of an upload in its one place."""
    done = invoke("upload", builds, "-p", "aws", "--region", HOME, *words)
    error = json.loads(done.stdout)["uploads"][0]["places"][0]["error"]
    assert done.exit_code == error["exit-code"]
    return error


def meta(path: Path) -> Any:  # noqa: ANN401
    """A build's meta.json."""
    return json.loads((path / "meta.json").read_text())

"""Every command in the Jenkinsfile is one that bootimg accepts."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from bootimg.pipelines.shipped import PACKAGE
from tests.support.pipelines.shellcommands import calls_of, parse

TEXT = files(PACKAGE).joinpath("jenkins/Jenkinsfile").read_text()
SCRIPTS = re.findall(r"\bsh '([^'\n]*)'", TEXT)
VARIABLES = {
    "ARCH": "arm64", "BUILD": "9.6.20261101-0", "LAYER": "docker://example.com/os@sha256:00", "CLOUD": "aws",
    "REGISTRIES": "oscontainer,kubevirt", "STREAM_URL": "s3://art/streams/s.json", "SITE_URL": "s3://art/site",
    "BOOTIMG_STREAM": "rhel-9.6", "BOOTIMG_BUILDS_URL": "s3://art/prod/builds", "BOOTIMG_EVENTS": "ndjson",
    "BOOTIMG_S3_ENDPOINT_URL": "", "BOOTIMG_STREAM_PUBLISHED": "", "CLOUD_VARIABLES": "./cloud",
}  # fmt: skip


def test_every_command_is_read() -> None:
    """A command in other quotes would not be looked at; Groovy would put values into it, too."""
    assert len(SCRIPTS) == len(re.findall(r"\bsh\b", TEXT)) > 15


@pytest.mark.parametrize("script", SCRIPTS)
def test_commands_are_what_bootimg_accepts(script: str, tmp_path: Path) -> None:
    key = tmp_path / "cosign.key"
    key.write_text("")
    (tmp_path / "cloud").write_text("AWS_PROFILE=a\n")
    variables = {**VARIABLES, "BOOTIMG_COSIGN_KEY": str(key), "BOOTIMG_COSIGN_PASSWORD_FILE": str(key)}
    # In the shell's own words: that `[ $? = 4 ]` is reached only after a failure.
    calls = calls_of(script, variables, tmp_path)
    assert len(calls) == script.count("bootimg ")
    for each in calls:
        parse(each)

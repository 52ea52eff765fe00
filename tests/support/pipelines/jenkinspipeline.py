"""A scripted Jenkinsfile, run with jenkins-pipeline-unit 1.1 of Maven Central: it is not Jenkins.

There are no agents and no sandbox, branches run one after the other, and each step of a plugin is ours.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bootimg import process
from tests.layer import store

SOURCE = Path(__file__).with_name("jenkinsunit")
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
_OPENED = ("lang", "util", "util.stream", "util.function", "io", "net", "lang.reflect", "util.regex")
_HOUR = 3600.0


@dataclass(frozen=True)
class Done:
    """A step of the pipeline: its kind, and what it is about."""

    kind: str
    text: str


def why_not() -> str | None:
    """Why it cannot run here, or None."""
    lacking = [each for each in ("java", *(() if _jars().is_dir() else ("mvn",))) if not process.find(each)]
    return f"{' and '.join(lacking)} is missing" if lacking else None


def run(
    jenkinsfile: Path, plan: Mapping[str, Any], folder: Path, *parameters: str, failures: int = 0
) -> list[Done]:
    """What the pipeline does, for a plan of `bootimg pipeline plan`; the first `failures` builds fail."""
    file = folder / "plan.json"
    file.write_text(json.dumps(plan))
    opened = [f"--add-opens=java.base/java.{each}=ALL-UNNAMED" for each in _OPENED]
    words = ["java", *opened, "-cp", f"{_fetched()}/*", "groovy.ui.GroovyMain", str(SOURCE / "Driver.groovy"),
             str(jenkinsfile), str(file), *parameters]  # fmt: skip
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "FAILURES": str(failures)}
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, cwd=folder, env=env)
    assert done.returncode == 0, done.stderr[-4000:]
    lines = (each.partition("\t") for each in done.stdout.splitlines() if "\t" in each)
    return [Done(kind, text) for kind, _, text in lines]


def _jars() -> Path:
    return store.test_cache() / "tools" / f"jenkinsunit-{store.key(SOURCE / 'pom.xml')}"


def _fetched() -> Path:
    """The folder of the jars, fetched if they are not there."""
    folder = _jars()
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with store.locked(folder.parent):
            if not folder.is_dir():
                store.made_folder(folder, _fetch)
    return folder


def _fetch(output: Path) -> None:
    with TemporaryDirectory(dir=output.parent) as work:
        shutil.copy(SOURCE / "pom.xml", work)
        words = ["mvn", "--batch-mode", "--quiet", f"-Dmaven.repo.local={work}/repository", _PLUGIN,
                 f"-DoutputDirectory={output}"]  # fmt: skip
        process.run(words, cwd=Path(work), timeout=_HOUR)

"""Runs the verbs of the clouds for gcp."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bootimg.errors import ExitCode
from tests.integration.clouds.commands import invoke, run
from tests.support.clouds.cloudbuilds import BUILD
from tests.support.clouds.faultproxy import Fault, Proxy, Request
from tests.support.clouds.strictgoogle import BUCKET

NAME = f"rhcos-{BUILD.replace('.', '-')}-gcp-x86-64"
FAMILY = "rhcos-stable"
KEY = f"art/{NAME}.tar.gz"


def words(proxy: Proxy) -> tuple[str, ...]:
    """The options of every verb."""
    return ("-p", "gcp", "--set", f"compute_endpoint={proxy.url}")


def bucket() -> tuple[str, ...]:
    """The options of an upload."""
    return ("--bucket", f"{BUCKET}/art")


def upload(builds: Path, proxy: Proxy, *more: object, code: int = ExitCode.OK) -> Any:  # noqa: ANN401
    """What an upload says of its one image."""
    (found,) = run("upload", builds, *words(proxy), *bucket(), *more, code=code)["uploads"]
    return found


def place(verb: str, builds: Path, proxy: Proxy, *more: object) -> Any:  # noqa: ANN401
    """What a verb says of its one place."""
    (found,) = run(verb, builds, *words(proxy), *more)["uploads"]
    (only,) = found["places"]
    return only


def failure(builds: Path, proxy: Proxy, *more: object, verb: str = "upload") -> Any:  # noqa: ANN401
    """The error of a verb in its one place."""
    given = (*bucket(), *more) if verb == "upload" else more
    done = invoke(verb, builds, *words(proxy), *given)
    error = json.loads(done.stdout)["uploads"][0]["places"][0]["error"]
    assert done.exit_code == error["exit-code"]
    return error


def family() -> tuple[str, ...]:
    """The option that names a family."""
    return ("--set", f"family={FAMILY}")


def only_at(action: str, fault: Fault) -> Callable[[Request], Fault | None]:
    """A proxy's plan: the fault for every request of an action."""
    return lambda request: fault if request.action == action else None

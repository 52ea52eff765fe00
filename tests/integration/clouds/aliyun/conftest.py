"""Alibaba Cloud on the loopback interface, behind a proxy that can spoil answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alibabacloud_credentials.utils import auth_util

from tests.integration.clouds.aliyun.site import SETTINGS, Site
from tests.support.clouds.faultproxy import fault_proxy
from tests.support.clouds.strictaliyun import ACCESS_KEY, SECRET_KEY, StrictAliyun, strict_aliyun

ENVIRONMENT = {
    "access_key_id": ACCESS_KEY,
    "access_key_secret": SECRET_KEY,
    "security_token": "",
    "profile_name": "",
    "ecs_metadata_disabled": "true",
}


@pytest.fixture
def aliyun() -> Iterator[StrictAliyun]:
    with strict_aliyun() as running:
        yield running


@pytest.fixture
def site(aliyun: StrictAliyun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A proxy of the server, for which the environment is set; parts are small."""
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    for path, changed in SETTINGS.items():
        monkeypatch.setattr(path, changed)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(f"ALIBABA_CLOUD_{name.upper()}", value)
        # The SDK reads the environment when it is imported.
        monkeypatch.setattr(auth_util, f"environment_{name}", value)
    aliyun.make_bucket("art")
    with fault_proxy(aliyun.url) as running:
        yield Site(aliyun=aliyun, proxy=running, builds=tmp_path / "builds")

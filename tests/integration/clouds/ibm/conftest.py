"""IBM Cloud's object storage on the loopback interface, behind a proxy that can spoil answers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from ibm_botocore.loaders import JSONFileLoader

from tests.integration.clouds.ibm.site import HOME, SMALL_PARTS, Site
from tests.support.clouds.faultproxy import fault_proxy
from tests.support.clouds.strictcos import API_KEY, StrictCos, strict_cos

_OTHERS = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HTTP_PROXY",
           "http_proxy", "COS_CREDENTIALS_FILE")  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def descriptions() -> Iterator[None]:
    """The SDK's descriptions of services are parsed once, not for every client."""
    parsed = cache(JSONFileLoader().load_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: parsed(path))
        yield


@pytest.fixture
def cos() -> Iterator[StrictCos]:
    with strict_cos() as running:
        yield running


@pytest.fixture
def site(cos: StrictCos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A proxy of the server, for which the environment is set; parts are small."""
    for name in _OTHERS:
        monkeypatch.delenv(name, raising=False)
    for path, changed in SMALL_PARTS.items():
        monkeypatch.setattr(path, changed)
    (tmp_path / "home").mkdir()
    with fault_proxy(cos.url) as running:
        settings = {
            "HOME": str(tmp_path / "home"),
            "IBM_API_KEY_ID": API_KEY,
            "IBM_AUTH_ENDPOINT": f"{cos.url}/identity/token",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        cos.make_bucket(f"art-{HOME}", HOME)
        yield Site(cos=cos, proxy=running, builds=tmp_path / "builds")

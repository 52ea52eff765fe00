"""Endpoints in settings, to which credentials are sent."""

from __future__ import annotations

import pytest

from bootimg.cloud.settings import Settings
from bootimg.errors import BootimgError


@pytest.mark.parametrize(
    "url", ["https://s3.{region}.example.com", "http://127.0.0.1:80/x", "http://[::1]:8"]
)
def test_accepted(url: str) -> None:
    assert Settings("x", {"endpoint": url}).endpoint("endpoint") == url


def test_none() -> None:
    assert Settings("x").endpoint("endpoint") is None


@pytest.mark.parametrize(
    "url",
    ["http://s3.example.com", "https://me:secret@s3.example.com", "https://", "s3.example.com", "https://[x",
     "ftp://127.0.0.1", "http://127.0.0.1.example.com", "http://127.0.0.1@example.com"],
)  # fmt: skip
def test_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(BootimgError) as error:
        Settings("x", {"endpoint": url}).endpoint("endpoint")
    assert error.value.id == "cloud-setting-invalid"
    assert "secret" not in error.value.message

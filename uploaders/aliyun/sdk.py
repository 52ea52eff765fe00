"""The clients of Alibaba's SDKs, without retries of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bootimg.cloud.plugin import bound_requests

TIMEOUT = 60
"""Seconds for a connection, and for an answer."""
_AGENT = "bootimg"
_CONNECTIONS = 20


def make_ecs(credentials: Any, region: str, endpoint: str) -> Any:  # noqa: ANN401 - the SDK has no types
    """A client of ECS; without an endpoint the SDK's own.  It repeats no call unless it is told to."""
    from alibabacloud_ecs20140526.client import Client
    from alibabacloud_tea_openapi.utils_models import Config

    config = Config(credential=credentials, region_id=region, user_agent=_AGENT)
    if endpoint:
        config.protocol, _, config.endpoint = endpoint.partition("://")
    return Client(config)


def make_oss(look: Callable[[], Any], region: str, endpoint: str) -> Any:  # noqa: ANN401
    """A client of OSS with the credentials that `look` finds; without an endpoint the SDK's own."""
    import alibabacloud_oss_v2 as oss
    import requests
    from alibabacloud_oss_v2.transport import RequestsHttpClient
    from requests.adapters import HTTPAdapter

    def credentials() -> Any:  # noqa: ANN401
        found = look()
        token = found.security_token or None
        return oss.credentials.Credentials(found.access_key_id, found.access_key_secret, token)

    config = oss.config.load_default()
    config.region, config.retryer = region, oss.retry.NopRetryer()
    config.credentials_provider = oss.credentials.CredentialsProviderFunc(credentials)
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS))
    bound_requests(session)
    config.http_client = RequestsHttpClient(
        session=session, connect_timeout=TIMEOUT, readwrite_timeout=TIMEOUT
    )
    config.user_agent = _AGENT
    if endpoint:
        config.endpoint, config.use_path_style = endpoint, True
    return oss.Client(config)

"""The connections of the SDK's clients."""

from __future__ import annotations

from typing import Any

from bootimg.cloud.plugin import bound_requests

_TIMEOUT = 60.0
_LEAST = 10


def transport(workers: int) -> Any:  # noqa: ANN401 - the SDK is imported when it is used
    """Connections that repeat nothing by themselves, one for each worker."""
    import requests
    from azure.core.pipeline.transport import RequestsTransport
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    adapter = HTTPAdapter(pool_maxsize=max(workers, _LEAST))
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    bound_requests(session)
    return RequestsTransport(
        session=session, session_owner=False, connection_timeout=_TIMEOUT, read_timeout=_TIMEOUT
    )

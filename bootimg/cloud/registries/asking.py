"""Requests about one repository, repeated while their failures may pass."""

from __future__ import annotations

from collections.abc import Mapping

from bootimg.cloud.registries.answers import failed, forbidden
from bootimg.cloud.registries.connection import Connection
from bootimg.cloud.registries.transport import LIMIT, Answer
from bootimg.cloud.retry import Retry, TransientError
from bootimg.layer.fetching.skopeo import RegistryOptions


class Asking:
    """Asks the registry of one repository.  Any thread may use it."""

    def __init__(self, repository: str, options: RegistryOptions) -> None:
        self._connection = Connection(repository, options)

    def ask(
        self,
        retry: Retry,
        what: str,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        actions: str = "pull",
    ) -> Answer:
        """The answer to a request, whatever its status is; `what` names it for messages.

        Errors: `cloud-unavailable`, and those of `Connection.request`.
        """

        def ask() -> Answer:
            answer = self._connection.request(method, path, headers=headers, body=body, actions=actions)
            wanted = answer.headers.get("content-length", "")
            cut = method == "GET" and wanted.isdigit() and len(answer.body) < min(int(wanted), LIMIT)
            if cut:
                raise TransientError("the answer was cut off")
            return answer

        return retry.call(what, ask)


def require(repository: str, answer: Answer, what: str, *statuses: int) -> None:
    """Require one of the statuses; `what` was to be done with the repository.

    Errors: `cloud-permission-missing`, `cloud-request-failed`.
    """
    if answer.status in statuses:
        return
    if answer.status == 403:
        raise forbidden(repository, what, answer.body)
    raise failed(repository, what, answer.status, answer.body)

"""Alibaba Cloud by its SDKs: every call goes through bootimg's retries, with the SDKs' own off."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from bootimg.cloud.plugin import Call, Means, Session, Settings, TransientError, sdk_missing

from .faults import converted
from .sdk import TIMEOUT, make_ecs, make_oss

Json = dict[str, Any]
Value = TypeVar("Value")


class Aliyun(Session):
    """The clients of one set of credentials, by service and region.

    `read` calls change nothing.  `write` calls go through the log of calls.
    """

    def __init__(self, settings: Settings, means: Means) -> None:
        try:
            import alibabacloud_ecs20140526 as _ecs  # noqa: F401
            import alibabacloud_oss_v2 as _oss  # noqa: F401
            from alibabacloud_credentials.client import Client
        except ImportError:
            raise sdk_missing("the SDK of Alibaba Cloud", "alibaba") from None
        super().__init__(means)
        self._endpoints = {kind: settings.endpoint(f"{kind}_endpoint") for kind in ("ecs", "oss")}
        self._clients: dict[tuple[str, str], Any] = {}
        self._making = threading.Lock()
        # Copies of this object share it.
        self._secrets: set[str] = set()
        with converted("the look for credentials", self.scrub):
            self._credentials = Client()
            self._look()

    def scrub(self, text: str) -> str:
        """A text without the credentials."""
        for secret in self._secrets.copy():
            text = text.replace(secret, "[hidden]")
        return text

    def read(
        self,
        region: str,
        operation: str,
        *,
        expected: Sequence[str] = (),
        needs: str = "RequestId",
        **parameters: Any,  # noqa: ANN401
    ) -> Json:
        """The answer of ECS to a call that changes nothing.

        An error with one of the codes `expected` is raised as `AliyunError`.  An answer without the key
        `needs` counts as lost.
        """

        def call() -> Json:
            from alibabacloud_ecs20140526 import models
            from darabonba.runtime import RuntimeOptions

            client, name = self._client("ecs", region), _snake(operation)
            request = getattr(models, f"{operation}Request")().from_map({"RegionId": region, **parameters})
            options = RuntimeOptions(connect_timeout=TIMEOUT * 1000, read_timeout=TIMEOUT * 1000)
            body = getattr(client, f"{name}_with_options")(request, options).body
            answer: Json = body.to_map() if body is not None else {}
            if needs not in answer:
                raise TransientError("the answer was cut off")
            return answer

        return self._tried(f"ecs:{operation} in {region}", call, expected)

    def write(
        self,
        region: str,
        operation: str,
        *,
        instead: Mapping[str, Any] | None = None,
        expected: Sequence[str] = (),
        needs: str = "RequestId",
        place: str | None = None,
        **parameters: Any,  # noqa: ANN401
    ) -> Json:
        """The answer of ECS to a call that changes something, or `instead` of it in a dry run."""
        call = Call(place=place or region, operation=f"ecs:{operation}", parameters=parameters)
        return self.means.calls.make(
            call,
            lambda: self.read(region, operation, expected=expected, needs=needs, **parameters),
            dict(instead or {}),
        )

    def storage(
        self,
        region: str,
        operation: str,
        *,
        expected: Sequence[str] = (),
        needs: str | None = None,
        **parameters: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 - the SDK's result for the operation
        """The answer of OSS to a call; `expected` and `needs` as for `read`."""

        def call() -> Any:  # noqa: ANN401
            from alibabacloud_oss_v2 import models

            request = getattr(models, f"{operation}Request")(**parameters)
            answer = getattr(self._client("oss", region), _snake(operation))(request)
            if needs is not None and not getattr(answer, needs):
                raise TransientError("the answer was cut off")
            return answer

        return self._tried(f"oss:{operation} in {region}", call, expected)

    def _tried(self, what: str, work: Callable[[], Value], expected: Sequence[str]) -> Value:
        def call() -> Value:
            with converted(what, self.scrub):
                # They may be new ones by now.
                self._look()
                return work()

        return self.repeated(what, call, expected)

    def _look(self) -> Any:  # noqa: ANN401
        """The credentials of this moment, which `scrub` knows from then on."""
        found = self._credentials.get_credential()
        values = (found.access_key_id, found.access_key_secret, found.security_token)
        self._secrets.update(each for each in values if each)
        return found

    def _client(self, kind: str, region: str) -> Any:  # noqa: ANN401
        endpoint = (self._endpoints[kind] or "").replace("{region}", region)
        with self._making:
            if (kind, region) not in self._clients:
                self._clients[kind, region] = (
                    make_ecs(self._credentials, region, endpoint)
                    if kind == "ecs"
                    else make_oss(self._look, region, endpoint)
                )
            return self._clients[kind, region]


def _snake(operation: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()

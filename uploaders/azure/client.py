"""Azure by its SDK: every call goes through bootimg's retries, with the SDK's own switched off."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from bootimg.cloud.plugin import Call, Means, Session, Settings, sdk_missing

from .faults import converted, no_credentials, without_signatures
from .transport import transport

Value = TypeVar("Value")
Json = dict[str, Any]
_STORAGE = "https://storage.azure.com"
_MANAGEMENT = "https://management.azure.com"
_CONNECTION = "AZURE_STORAGE_CONNECTION_STRING"
_SUBSCRIPTION = "name it with --set subscription=…, or in AZURE_SUBSCRIPTION_ID"


class Azure(Session):
    """The clients of one login.

    `read` calls change nothing.  `write` calls go through the log of calls.
    """

    def __init__(self, settings: Settings, means: Means) -> None:
        try:
            import azure.core
            import azure.identity
            import azure.mgmt.compute
            import azure.storage.blob  # noqa: F401
        except ImportError as error:
            raise sdk_missing(str(error.name or "azure"), "azure") from None
        super().__init__(means)
        self.settings = settings
        self._secrets: list[str] = []

    def scrub(self, text: str) -> str:
        """A text without the credentials."""
        for secret in self._secrets:
            text = text.replace(secret, "[hidden]")
        return without_signatures(text)

    def read(self, what: str, work: Callable[[], Value], *, expected: Sequence[int] = ()) -> Value:
        """The result of a call that changes nothing; `what` names it.

        An answer with one of the statuses `expected` is raised as `AzureError`.
        """

        def call() -> Value:
            with converted(what, scrub=self.scrub):
                return work()

        return self.repeated(what, call, expected)

    def write(
        self,
        place: str,
        operation: str,
        parameters: Mapping[str, Any],
        work: Callable[[], Value],
        *,
        instead: Value,
        expected: Sequence[int] = (),
    ) -> Value:
        """The result of a call that changes something, or `instead` of it in a dry run."""
        call = Call(place=place, operation=operation, parameters=parameters)
        what = f"{operation} in {place}"
        return self.means.calls.make(call, lambda: self.read(what, work, expected=expected), instead)

    @cached_property
    def blobs(self) -> Any:  # noqa: ANN401 - the SDK is imported when it is used
        """The client of the storage account."""
        from azure.storage.blob import BlobServiceClient, ExponentialRetry

        options = {
            "retry_policy": ExponentialRetry(retry_total=0),
            "transport": transport(self.means.workers),
        }
        connection = os.environ.get(_CONNECTION)
        if connection:
            return self._connected(connection, options)
        account = self.settings.needed("storage_account", "name it with --set storage_account=…")
        url = self._endpoint("blob_endpoint", f"https://{account}.blob.core.windows.net")
        return BlobServiceClient(url, credential=self._login(_STORAGE), **options)

    def _connected(self, connection: str, options: Mapping[str, Any]) -> Any:  # noqa: ANN401
        from azure.storage.blob import BlobServiceClient

        pairs = dict(each.partition("=")[::2] for each in connection.split(";"))
        self._secrets += filter(None, (pairs.get("AccountKey"), pairs.get("SharedAccessSignature")))
        try:
            found = BlobServiceClient.from_connection_string(connection, **options)
        except ValueError:
            raise no_credentials(f"{_CONNECTION} is malformed") from None
        wanted = self.settings.text("storage_account")
        if wanted not in (None, found.account_name):
            raise self.settings.invalid(f"storage_account is {wanted!r:.80}, and {_CONNECTION} names another")
        return found

    @cached_property
    def compute(self) -> Any:  # noqa: ANN401
        """The client of the subscription's galleries."""
        from azure.core.pipeline.policies import RetryPolicy
        from azure.mgmt.compute import ComputeManagementClient

        url = self._endpoint("management_endpoint", _MANAGEMENT)
        return ComputeManagementClient(
            self._login(url),
            self.subscription,
            base_url=url,
            credential_scopes=[f"{url}/.default"],
            retry_policy=RetryPolicy.no_retries(),
            transport=transport(self.means.workers),
        )

    @property
    def subscription(self) -> str:
        """The subscription of storage account and gallery."""
        found = self.settings.text("subscription") or os.environ.get("AZURE_SUBSCRIPTION_ID")
        return found or self.settings.needed("subscription", _SUBSCRIPTION)

    def _endpoint(self, key: str, default: str) -> str:
        found = (self.settings.text(key) or default).rstrip("/")
        if not found.startswith("https://"):
            raise self.settings.invalid(f"{key} does not begin with https://")
        return found

    def _login(self, resource: str) -> Any:  # noqa: ANN401
        """The SDK's own chain of credentials; `cloud-credentials-missing` if none of it works."""
        from azure.identity import DefaultAzureCredential

        found = DefaultAzureCredential(retry_total=0, transport=transport(self.means.workers))
        what = "the look for credentials"

        def token() -> str:
            return str(found.get_token(f"{resource}/.default").token)

        self._secrets.append(self.read(what, token))
        return found

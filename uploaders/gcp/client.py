"""Google's cloud by its SDK: every call goes through bootimg's retries, with the SDK's own switched off."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from bootimg.cloud.plugin import Call, Means, Session, Settings, bound_requests, sdk_missing

from .faults import converted

Value = TypeVar("Value")
TIMEOUT = 60.0
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_SECRETS = ("token", "_refresh_token", "_client_secret", "_id_token")
# Who has the address of an upload's session may write to it.
_SESSION = re.compile(r"(upload_id=)[^&\s\"']+")


class _Clients:
    """The clients of one pair of credentials, made when they are first used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.credentials, self.default_project = _found_credentials()

    @cached_property
    def session(self) -> Any:  # noqa: ANN401
        """The HTTP session with the credentials; it renews a token that is over."""
        import requests
        from google.auth.transport.requests import AuthorizedSession, Request

        # Tokens are fetched by a session of their own.
        tokens = requests.Session()
        found = AuthorizedSession(self.credentials, auth_request=Request(tokens))
        for each in (tokens, found):
            bound_requests(each)
        return found

    @cached_property
    def storage(self) -> Any:  # noqa: ANN401
        """The client of Cloud Storage."""
        from google.cloud import storage

        endpoint = self.settings.text("storage_endpoint")
        return storage.Client(
            project=self.default_project or "none",
            credentials=self.credentials,
            client_options={"api_endpoint": endpoint} if endpoint else None,
            _http=self.session,
        )

    def compute(self, kind: str) -> Any:  # noqa: ANN401
        """A client of Compute Engine, such as ImagesClient."""
        with _IMPORTING:
            try:
                from google.cloud import compute_v1
            except ImportError:
                raise sdk_missing("google-cloud-compute", "gcp") from None

        endpoint = self.settings.text("compute_endpoint")
        options = {"api_endpoint": endpoint} if endpoint else None
        client = getattr(compute_v1, kind)(credentials=self.credentials, client_options=options)
        bound_requests(client.transport._session)
        return client

    @cached_property
    def images(self) -> Any:  # noqa: ANN401
        """The client of images."""
        return self.compute("ImagesClient")

    @cached_property
    def operations(self) -> Any:  # noqa: ANN401
        """The client of operations that are not of a region."""
        return self.compute("GlobalOperationsClient")

    @cached_property
    def licenses(self) -> Any:  # noqa: ANN401
        """The client of licences."""
        return self.compute("LicensesClient")


_IMPORTING = threading.Lock()


class Gcp(Session):
    """The clients of one project.

    `read` calls change nothing.  `write` calls go through the log of calls.
    """

    def __init__(self, settings: Settings, means: Means) -> None:
        super().__init__(means)
        try:
            import google.auth
            import google.cloud.storage  # noqa: F401
        except ImportError:
            raise sdk_missing("google-cloud-storage", "gcp") from None
        with converted("the look for credentials", self.scrub):
            self.clients = _Clients(settings)
        self.project = settings.text("project") or self.clients.default_project or ""
        if not self.project:
            raise settings.missing(
                "does not set project, and the credentials have none",
                "name it with --set project=NAME, or `project` in the block of the cloud",
            )

    def scrub(self, text: str) -> str:
        """A text without the credentials and without the addresses of sessions."""
        credentials = getattr(getattr(self, "clients", None), "credentials", None)
        for name in _SECRETS:
            secret = getattr(credentials, name, None)
            if isinstance(secret, str) and secret:
                text = text.replace(secret, "[hidden]")
        return _SESSION.sub(r"\1[hidden]", text)

    def on_images(self, method: str, **request: Any) -> Callable[[], Any]:  # noqa: ANN401
        """A call of the client of images, to be made by `read` or `write`."""
        return lambda: getattr(self.clients.images, method)(request=request, retry=None, timeout=TIMEOUT)

    def read(self, what: str, work: Callable[[], Value], *, expected: Sequence[int] = ()) -> Value:
        """The result of a call; `what` names it.

        An answer with one of the HTTP statuses `expected` is raised as `GcpError`.
        """

        def call() -> Value:
            with converted(what, self.scrub):
                return work()

        return self.repeated(what, call, expected)

    def write(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        work: Callable[[], Value],
        instead: Value,
        *,
        expected: Sequence[int] = (),
    ) -> Value:
        """The result of a call that changes something, or `instead` of it in a dry run."""
        call = Call(place=self.project, operation=operation, parameters=parameters)
        what = f"{operation} in {self.project}"
        return self.means.calls.make(call, lambda: self.read(what, work, expected=expected), instead)


def _found_credentials() -> tuple[Any, str | None]:
    """The credentials and their project, by the SDK's own chain; none are needed for an emulator."""
    import google.auth
    from google.auth.credentials import AnonymousCredentials

    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return AnonymousCredentials(), os.environ.get("GOOGLE_CLOUD_PROJECT")
    found: tuple[Any, str | None] = google.auth.default(scopes=[_SCOPE])
    return found

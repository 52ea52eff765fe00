"""HTTP to one registry: TLS as skopeo has it, logins, tokens, and what an answer means.

The protocol is the OCI distribution specification 1.1; tokens are Docker's token authentication.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import urllib.error
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from bootimg.cloud.registries.answers import refused
from bootimg.cloud.registries.certificates import tls_context
from bootimg.cloud.registries.credentials import DOCKER_HUB, Login, find_login
from bootimg.cloud.registries.transport import Answer, Streamed, Transport
from bootimg.cloud.retry import TransientError, wait_of
from bootimg.errors import BootimgError
from bootimg.layer.fetching.skopeo import RegistryOptions
from bootimg.printable import printable
from bootimg.untrusted.jsonfile import find_object

_HUB_SERVER = "registry-1.docker.io"
_PARAMETER = re.compile(r'([a-zA-Z]+)="((?:[^"\\]|\\.)*)"')
_LIKE_PLAIN_HTTP = ("WRONG_VERSION_NUMBER", "RECORD_LAYER", "HTTP_REQUEST")


class Connection:
    """Requests to the registry of one repository, with its login.  Any thread may use it."""

    def __init__(self, repository: str, options: RegistryOptions) -> None:
        self.repository = repository
        self.host, _, self.path = repository.partition("/")
        self._options = options
        self._login: Login | None = find_login(repository, options.authfile)
        context = tls_context(self.host, options.cert_dir, verify=options.tls_verify)
        self._transport = Transport(context)
        self._scheme, self._authorization = "https", ""
        self._lock = threading.Lock()

    @property
    def has_login(self) -> bool:
        """Whether there is a login for the repository."""
        return self._login is not None

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        actions: str = "pull",
    ) -> Answer:
        """The answer to a request for `path`, below /v2/ and the repository, whatever its status is.

        `actions` is what a token has to allow.  Raises `TransientError` for what may pass, and
        `registry-untrusted`, `registry-unreachable`, `cloud-credentials-refused`,
        `cloud-credentials-missing`.
        """
        url, given = self._url(path), dict(headers or {})
        answer = self._send(method, url, given, body, self._authorization)
        if answer.status == 401:
            authorization = self._authorized(answer.headers.get("www-authenticate", ""), actions)
            answer = self._send(method, url, given, body, authorization)
            if answer.status == 401:
                raise refused(self.repository, answer.body, login=self.has_login)
            self._authorization = authorization
        _require_passed(answer)
        return answer

    def stream(self, path: str, headers: Mapping[str, str]) -> Streamed:
        """The answer to GET with its body as it comes, with the login of the last request.

        Raises `TransientError`, `registry-untrusted` and `registry-unreachable`.
        """
        try:
            answer = self._transport.stream(self._url(path), headers, self._authorization)
        except urllib.error.URLError as error:
            raise self._unreachable(error.reason) from None
        _require_passed(answer)
        return answer

    def _url(self, path: str) -> str:
        server = _HUB_SERVER if self.host == DOCKER_HUB else self.host
        return f"{self._scheme}://{server}/v2/{self.path}/{path}"

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, authorization: str
    ) -> Answer:
        try:
            return self._transport.send(method, url, headers, body, authorization)
        except urllib.error.URLError as error:
            if self._may_be_plain(url, error.reason):
                self._scheme = "http"
                return self._send(method, "http" + url.removeprefix("https"), headers, body, authorization)
            raise self._unreachable(error.reason) from None

    def _may_be_plain(self, url: str, reason: object) -> bool:
        """Whether the registry may speak HTTP without TLS, which is allowed only with --tls-verify=false."""
        if self._options.tls_verify or url.startswith("http:"):
            return False
        return isinstance(reason, ssl.SSLError) and any(word in str(reason) for word in _LIKE_PLAIN_HTTP)

    def _unreachable(self, reason: object) -> Exception:
        if isinstance(reason, ssl.SSLError):
            return BootimgError(
                "registry-untrusted",
                f"the identity of the registry of {self.repository} cannot be verified",
                context=[str(reason)[:300]],
                hint="give its CA with --cert-dir; --tls-verify=false only on networks you trust",
            )
        if isinstance(reason, socket.gaierror) and reason.errno == socket.EAI_NONAME:
            return BootimgError(
                "registry-unreachable",
                f"the registry of {self.repository} cannot be reached",
                context=[str(reason)[:300]],
                hint="check the name, the network and the proxy settings (HTTPS_PROXY)",
            )
        return TransientError(str(reason)[:200])

    def _authorized(self, challenge: str, actions: str) -> str:
        """The Authorization header that a challenge asks for."""
        scheme, _, rest = challenge.partition(" ")
        with self._lock:
            if scheme.lower() == "bearer":
                return self._token({key.lower(): value for key, value in _PARAMETER.findall(rest)}, actions)
            if self._login is None:
                raise refused(self.repository, b"", login=False)
            return self._login.basic

    def _token(self, challenge: Mapping[str, str], actions: str) -> str:
        realm = challenge.get("realm", "")
        if urlsplit(realm).scheme not in ("https", self._scheme):
            raise refused(
                self.repository, f"its token server is {printable(realm)[:100]}".encode(), login=True
            )
        query = {"scope": f"repository:{self.path}:{actions}"}
        if challenge.get("service"):
            query["service"] = challenge["service"]
        answer = self._ask_token(realm, query)
        tree = find_object(answer.body) or {}
        token = tree.get("token") or tree.get("access_token")
        if answer.status == 429 or answer.status >= 500:
            raise TransientError(
                f"the token server answered with status {answer.status}",
                wait_of(answer.headers.get("retry-after", "")),
            )
        if answer.status != 200 or not isinstance(token, str) or not token.isprintable():
            raise refused(self.repository, answer.body, login=self.has_login)
        return f"Bearer {token}"

    def _ask_token(self, realm: str, query: Mapping[str, str]) -> Answer:
        login = self._login
        if login is not None and login.identity_token is not None:
            form = {
                "grant_type": "refresh_token",
                "refresh_token": login.identity_token,
                "client_id": "bootimg",
            }
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            return self._send("POST", realm, kind, urlencode({**query, **form}).encode(), "")
        joint = "&" if urlsplit(realm).query else "?"
        return self._send("GET", realm + joint + urlencode(query), {}, None, login.basic if login else "")


def _require_passed(answer: Answer | Streamed) -> None:
    """`TransientError` for what may pass."""
    if answer.status == 429 or answer.status >= 500:
        raise TransientError(f"status {answer.status}", wait_of(answer.headers.get("retry-after", "")))

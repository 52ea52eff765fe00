"""An HTTP proxy on the loopback interface that notes every request and can spoil answers."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length", "date", "server")


@dataclass(frozen=True)
class Request:
    """A request; `action` is the cloud's name of the call where it has one, else method and path.

    `range` is the header's value.
    """

    method: str
    path: str
    action: str
    region: str
    body: bytes = field(repr=False)
    range: str = ""


@dataclass(frozen=True)
class Fault:
    """What happens to a request.  With `status` the server never sees it.

    `drop` closes the connection: `before` the server sees it, `after` it answered, or in the `middle` of the
    answer.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: str = ""
    body: bytes = b""


DENIED = Fault(
    403,
    body=b"<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors>"
    b"</Response>",
)
"""EC2's answer to a call that the credentials have no right to."""


FAULTS = {
    "429": Fault(429, {"Retry-After": "1"}),
    "503": Fault(503),
    "lost request": Fault(drop="before"),
    "lost answer": Fault(drop="after"),
    "cut answer": Fault(drop="middle"),
}
"""What may happen to any call, and passes."""


def each_third_time(fault: Fault) -> Callable[[Request], Fault | None]:
    """The fault for the first call of every action, and for every third call after that."""
    seen: dict[str, int] = {}

    def plan(request: Request) -> Fault | None:
        seen[request.action] = seen.get(request.action, 0) + 1
        return fault if seen[request.action] % 3 == 1 else None

    return plan


@dataclass
class Proxy:
    """The proxy's URL, its requests so far, and its plan: the fault of a request, if any."""

    url: str
    server: str = ""
    plan: Callable[[Request], Fault | None] = lambda request: None
    requests: list[Request] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, request: Request) -> Fault | None:
        """Note a request and decide on it, one request at a time."""
        with self._lock:
            self.requests.append(request)
            return self.plan(request)

    def count(self, action: str) -> int:
        """How many requests were for an action."""
        return sum(each.action == action for each in self.requests)


Naming = Callable[[BaseHTTPRequestHandler, bytes], str]


@contextmanager
def fault_proxy(
    server: str, *, action: Naming | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Proxy]:
    """A running proxy of the server at a URL, with `tls` by https.

    `action` names a call by its request and body; without it the names are AWS's.
    """
    scheme, _, host = server.partition("://")
    proxy, name_of = Proxy("", server), action or aws_action

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = _body(self)
            wanted = self.headers.get("Range", "")
            request = Request(self.command, self.path, name_of(self, body), _region(self), body, wanted)
            fault = proxy.note(request) or Fault()
            if fault.status:
                self._answer(fault.status, dict(fault.headers), fault.body)
                return
            if fault.drop != "before":
                status, headers, data = self._forward(body)
                if fault.drop == "middle":
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data[: len(data) // 2])
                elif not fault.drop:
                    self._answer(status, headers, data)
            if fault.drop:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = handle_any

        def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            connection = _connect(scheme, host)
            unsent = ("expect", "transfer-encoding")
            # skopeo has a header Accept for each type.
            headers = {key: ", ".join(self.headers.get_all(key, ())) for key in self.headers
                       if key.lower() not in unsent}  # fmt: skip
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
            kept = {key: value for key, value in answer.getheaders() if key.lower() not in _HOP}
            if self.command == "HEAD":
                kept["Content-Length"] = answer.getheader("Content-Length", "0")
            connection.close()
            return answer.status, kept, data

        def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *words: Any) -> None:  # noqa: ANN401
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    if tls is not None:
        running.socket = tls.wrap_socket(running.socket, server_side=True, do_handshake_on_connect=False)
    proxy.url = f"{'https' if tls else 'http'}://127.0.0.1:{running.server_address[1]}"
    thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        running.shutdown()
        running.server_close()


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    """The body, whether its length is announced or it comes in chunks."""
    if handler.headers.get("Transfer-Encoding", "") != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
    found = b""
    while length := int(handler.rfile.readline(), 16):
        found += handler.rfile.read(length)
        handler.rfile.readline()
    handler.rfile.readline()
    return found


def _connect(scheme: str, host: str) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, timeout=60)
    return http.client.HTTPSConnection(host, timeout=60, context=ssl._create_unverified_context())


def aws_action(handler: BaseHTTPRequestHandler, body: bytes) -> str:
    """The name of a call of EC2 or EBS."""
    if b"Action=" in body[:2000]:
        return parse_qs(body.decode())["Action"][0]
    path = handler.path.partition("?")[0]
    if "/snapshots" in path:
        last = {"PUT": "PutSnapshotBlock", "POST": "StartSnapshot"}.get(handler.command, handler.command)
        return "CompleteSnapshot" if "/completion" in path else last
    return f"{handler.command} {handler.path}"


def _region(handler: BaseHTTPRequestHandler) -> str:
    """The region that the request is signed for."""
    scope = handler.headers.get("Authorization", "").partition("Credential=")[2].split("/")
    return scope[2] if len(scope) > 2 else ""

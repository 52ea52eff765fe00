"""The relay with which the benchmark of uploads counts bytes."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.relay import counting_relay

ANSWER = b"x" * (3 << 20)


@pytest.fixture
def server() -> Iterator[str]:
    """A server that keeps connections, and answers when it has the whole request."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            answer = ANSWER + data[-1:]
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def test_the_relay_passes_everything_on_and_counts_what_is_sent(server: str) -> None:
    body = b"y" * (2 << 20) + b"z"
    with counting_relay(server) as relay:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for number in (1, 2):
            with opener.open(urllib.request.Request(f"{relay.url}/a", body, method="PUT")) as answer:
                assert answer.read() == ANSWER + b"z"
            assert number * len(body) < relay.sent < number * (len(body) + 1000)

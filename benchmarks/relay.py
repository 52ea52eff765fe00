"""A TCP relay on the loopback interface that counts the bytes that clients send."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

_PIECE = 256 << 10


class Relay:
    """`sent` counts what clients sent to `url`, with the headers of their requests."""

    def __init__(self, url: str) -> None:
        self.url, self.sent = url, 0
        self._counting = threading.Lock()

    def count(self, length: int) -> None:
        """Add to the count."""
        with self._counting:
            self.sent += length


@contextmanager
def counting_relay(server: str) -> Iterator[Relay]:
    """A running relay of the HTTP server at a URL."""
    to = urlsplit(server)

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((to.hostname, to.port)) as upstream:
                words = upstream, self.request, _ignore
                answers = threading.Thread(target=_pass, args=words, daemon=True)
                answers.start()
                _pass(self.request, upstream, relay.count)
                answers.join()

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        relay = Relay(f"http://127.0.0.1:{running.server_address[1]}")
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield relay
        finally:
            running.shutdown()


def _pass(source: socket.socket, to: socket.socket, count: Callable[[int], None]) -> None:
    """Pass on what comes until either end closes."""
    piece = bytearray(_PIECE)
    # Either end may reset the connection.
    with suppress(ConnectionError):
        while length := source.recv_into(piece):
            count(length)
            to.sendall(memoryview(piece)[:length])
    with suppress(OSError):
        to.shutdown(socket.SHUT_WR)


def _ignore(length: int) -> None:
    pass

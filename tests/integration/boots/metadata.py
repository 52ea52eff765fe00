"""EC2's metadata service for one connection on stdin and stdout, as QEMU's `guestfwd=…-cmd:` starts it.

`metadata.py CONFIG` answers a session's token (IMDSv2), CONFIG as the instance's user data and at
/config.ign; it has nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path

ADDRESS = "169.254.169.254"
# A network of its own, in which QEMU can have that address.
NETWORK = "169.254.169.0/24"


def answer(method: str, path: str, config: Path) -> bytes:
    """The whole response."""
    if method == "PUT" and path == "/latest/api/token":
        status, body = "200 OK", b"a-token"
    elif method == "GET" and path.endswith(("/user-data", "/config.ign")):
        status, body = "200 OK", config.read_bytes()
    else:
        status, body = "404 Not Found", b""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def main() -> None:
    """Read a request without a body, answer it."""
    method, path, _ = sys.stdin.buffer.readline().decode().split()
    while sys.stdin.buffer.readline().strip():
        pass
    sys.stdout.buffer.write(answer(method, path, Path(sys.argv[1])))


if __name__ == "__main__":
    main()

"""Single blobs of a registry's image, through skopeo's image proxy: `skopeo copy` copies only whole images.

The protocol (0.2, since skopeo 1.5) is that of `skopeo experimental-image-proxy`, which bootc and
ostree-rs-ext fetch by: JSON requests over a SEQPACKET socket, answers with a pipe where there is content.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bootimg import process
from bootimg.errors import BootimgError
from bootimg.layer.fetching.skopeo import RegistryOptions
from bootimg.layer.fetching.skopeofailure import explain
from bootimg.layer.image.blobs import CHUNK
from bootimg.layer.image.fetched import Blob

_PROGRAM = ("skopeo", "experimental-image-proxy")
_MAX_ANSWER = 32 << 10
"""The protocol's limit on an answer, in bytes."""
_TIMEOUT = 120.0
"""Seconds to wait for an answer or for the next byte."""


@dataclass(frozen=True, slots=True)
class _Answer:
    value: Any
    pipe: int | None
    pipe_id: int


class ImageProxy:
    """A running proxy that has opened one image."""

    def __init__(self, name: str, channel: socket.socket, child: subprocess.Popen[bytes]) -> None:
        self._name, self._channel, self._child = name, channel, child
        self._call("Initialize")
        self._image = self._call("OpenImage", f"docker://{name}").value

    def chunks(self, blob: Blob) -> Iterator[bytes]:
        """The content of a blob, compressed as the registry has it."""
        answer = self._call("GetBlob", self._image, blob.digest, blob.size)
        assert answer.pipe is not None
        with os.fdopen(answer.pipe, "rb", buffering=0) as pipe:
            # The proxy closes its end of the pipe only after FinishPipe, and only when all data is read.
            self._send("FinishPipe", answer.pipe_id)
            done = 0
            while data := self._read(pipe.fileno()):
                done += len(data)
                yield data
        # The proxy also reports a wrong digest, but the store's error for it says more.
        self._receive(checked=done != blob.size)

    def _read(self, pipe: int) -> bytes:
        if not select.select([pipe], [], [], _TIMEOUT)[0]:
            raise self._silent()
        return os.read(pipe, CHUNK)

    def _call(self, method: str, *arguments: object) -> _Answer:
        self._send(method, *arguments)
        return self._receive()

    def _send(self, method: str, *arguments: object) -> None:
        try:
            self._channel.send(json.dumps({"method": method, "args": arguments}).encode())
        except BrokenPipeError:
            raise self._ended() from None

    def _receive(self, *, checked: bool = True) -> _Answer:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._channel, _MAX_ANSWER, 1)
        except TimeoutError:
            raise self._silent() from None
        except ConnectionResetError:
            data = b""
        if not data:
            raise self._ended()
        answer = json.loads(data)
        if checked and not answer["success"]:
            raise explain(self._completed(1, str(answer["error"]).encode()), self._name)
        return _Answer(answer["value"], next(iter(descriptors), None), answer["pipeid"])

    def _silent(self) -> BootimgError:
        words = " ".join(_PROGRAM)
        return BootimgError("program-timeout", f"{words} sent nothing for {_TIMEOUT:.0f} s and was killed")

    def _ended(self) -> BootimgError:
        assert self._child.stderr
        stderr = self._child.stderr.read()
        return explain(self._completed(self._child.wait(), stderr), self._name)

    def _completed(self, code: int, stderr: bytes) -> process.Completed:
        return process.Completed(_PROGRAM, code, b"", stderr)


@contextmanager
def image_proxy(name: str, registry: RegistryOptions) -> Iterator[ImageProxy]:
    """A proxy for the registry's image `name` (without transport).

    Errors are those of `bootimg.layer.fetching.skopeo.explain`, and `program-timeout`.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    words = [*_PROGRAM, "--sockfd", str(theirs.fileno()), *registry.arguments()]
    with (
        ours,
        theirs,
        process.spawn(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                      pass_fds=[theirs.fileno()], tied=True) as child,
    ):  # fmt: skip
        # While this process has the child's end open, it cannot see that the child has exited.
        theirs.close()
        ours.settimeout(_TIMEOUT)
        yield ImageProxy(name, ours, child)

"""moto's S3 behind an application that checks what a cloud checks, served on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from moto.s3.models import s3_backends
from werkzeug.serving import make_server


@contextmanager
def serving_s3(application: Callable[..., Any]) -> Iterator[str]:
    """The URL of a running server of the application; moto takes short parts, and is empty before and after.

    What it keeps belongs to the process: other tests may have left buckets.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moto.settings.S3_UPLOAD_PART_MIN_SIZE", 1)
        patch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1, raising=False)
        s3_backends.reset()
        server = make_server("127.0.0.1", 0, application, threaded=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            s3_backends.reset()

"""`python -m tests.cluster.services.clouds ADDRESS PORT BUCKET…`: S3, and AWS as strict as it is."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from moto.s3.responses import S3Response

from tests.support.clouds.strictaws import strict_aws


def main() -> None:
    address, port, *buckets = sys.argv[1:]
    with pytest.MonkeyPatch.context() as patch, strict_aws(address, int(port)) as aws:
        patch.setattr(S3Response, "put_object", _atomic(S3Response.put_object))
        keys = {"aws_access_key_id": "id", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=aws.url, **keys)
        for each in buckets:
            client.create_bucket(Bucket=each)
        print("ready", flush=True)
        signal.sigwait({signal.SIGTERM})


def _atomic(put: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A write with a condition is one step, as S3's is: moto's threads would look first and write later."""
    lock = threading.Lock()

    def put_object(response: Any) -> Any:  # noqa: ANN401
        if not {"If-Match", "If-None-Match"} & set(response.headers):
            return put(response)
        with lock:
            return put(response)

    return put_object


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main()

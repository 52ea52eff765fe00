"""A bucket that is filled from a folder, on a server of S3 in this process."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from tests.support.faults.judge import content_digest

BUCKET = "bucket"
"""The bucket's name, and that of the folder with what is in it at first."""
_CREDENTIALS = {"aws_access_key_id": "id", "aws_secret_access_key": "secret"}


@dataclass(frozen=True, slots=True)
class BucketServer:
    """The server; `environment` leads a process to it."""

    url: str
    client: Any

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables for a process that shall use it."""
        return {
            "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
            "BOOTIMG_S3_ENDPOINT_URL": self.url, "AWS_CONFIG_FILE": "/none", "AWS_MAX_ATTEMPTS": "2",
            "AWS_SHARED_CREDENTIALS_FILE": "/none", "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip

    def load(self, folder: Path) -> None:
        """Fill the bucket with the files of the folder, and with nothing else."""
        s3_backends.reset()
        self.client.create_bucket(Bucket=BUCKET)
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                key = str(path.relative_to(folder))
                self.client.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())

    def digests(self) -> Mapping[str, str]:
        """The digest of each object, by its key."""
        found = self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {each["Key"]: self._digest(each["Key"]) for each in found}

    def _digest(self, key: str) -> str:
        return content_digest(key, self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read())


@contextmanager
def bucket_server() -> Iterator[BucketServer]:
    """A server on the loopback interface."""
    # It tells of each request.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        yield BucketServer(url, boto3.client("s3", endpoint_url=url, region_name="us-east-1", **_CREDENTIALS))
    finally:
        server.stop()

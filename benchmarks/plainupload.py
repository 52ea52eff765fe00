"""`python -m benchmarks.plainupload CLOUD IMAGE FOLDER`: converts an image, and uploads the whole file.

The cloud's own SDK sends the file in its default way: to S3 (the import that follows is left out), or to a
page blob.  The times are printed as JSON; `joining-seconds` is how long the server took to join the parts.
It is a separate program so that its memory can be measured in the same way as that of `bootimg upload`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

PLACE = "images"
"""The bucket, and the container: both exist."""
_PATIENCE = 600
_FORMATS: Mapping[str, tuple[str, ...]] = {
    "aws": ("raw",),
    "azure": ("vpc", "-o", "subformat=fixed,force_size"),
}


def main(cloud: str, image: str, folder: str) -> None:
    """Convert and upload."""
    started, disk = time.monotonic(), Path(folder) / f"plain-{cloud}"
    subprocess.run(["qemu-img", "convert", "-O", *_FORMATS[cloud], image, disk], check=True)
    converted = time.monotonic()
    joining = _UPLOADS[cloud](disk)
    print(json.dumps({"convert-seconds": converted - started, "joining-seconds": joining}))
    disk.unlink()


def _to_s3(disk: Path) -> float:
    import boto3
    from botocore.config import Config

    # moto joins the parts in Python, which may take longer than the SDK waits by default.
    client, began = boto3.client("s3", config=Config(read_timeout=_PATIENCE)), [0.0]

    def note(**_: object) -> None:
        began[0] = time.monotonic()

    client.meta.events.register("before-call.s3.CompleteMultipartUpload", note)
    client.upload_file(str(disk), PLACE, disk.name)
    return time.monotonic() - began[0]


def _to_page_blob(disk: Path) -> float:
    from azure.storage.blob import BlobServiceClient, BlobType

    account = BlobServiceClient.from_connection_string(os.environ["AZURE_STORAGE_CONNECTION_STRING"])
    client, size = account.get_blob_client(PLACE, disk.name), disk.stat().st_size
    with disk.open("rb") as file:
        client.upload_blob(file, blob_type=BlobType.PAGEBLOB, length=size)
    return 0.0


_UPLOADS: Mapping[str, Callable[[Path], float]] = {"aws": _to_s3, "azure": _to_page_blob}

if __name__ == "__main__":
    main(*sys.argv[1:])

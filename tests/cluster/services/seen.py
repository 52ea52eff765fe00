"""`python -m tests.cluster.services.seen URL BUCKET REGION [KEY]`: what is there, or an object's bytes."""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3


def main() -> None:
    url, bucket, region, *keys = sys.argv[1:]
    s3 = _client("s3", url, "us-east-1")
    if keys:
        sys.stdout.buffer.write(s3.get_object(Bucket=bucket, Key=keys[0])["Body"].read())
        return
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    objects = {each["Key"]: each["ETag"].strip('"') for page in pages for each in page.get("Contents", [])}
    ec2 = _client("ec2", url, region)
    images = [
        {"id": each["ImageId"], "name": each["Name"], "architecture": each["Architecture"]}
        for each in ec2.describe_images(Owners=["self"])["Images"]
    ]
    snapshots = [each["SnapshotId"] for each in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]]
    print(json.dumps({"objects": objects, "images": images, "snapshots": snapshots}))


def _client(service: str, url: str, region: str) -> Any:  # noqa: ANN401
    keys = {"aws_access_key_id": "id", "aws_secret_access_key": "secret"}
    return boto3.client(service, endpoint_url=url, region_name=region, **keys)


if __name__ == "__main__":
    main()

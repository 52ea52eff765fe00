"""A file in a bucket, sent in parts that an interrupted upload does not send again."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootimg.cloud.plugin import MIB, Call, Part, send_file

from .client import Aws, Json
from .faults import AwsError

_PART = 16 * MIB
_SHA256 = "sha256"
_ABSENT = ("404", "NoSuchKey", "NoSuchUpload", "NotFound")


def put_file(aws: Aws, region: str, bucket: str, key: str, path: Path, sha256: str) -> None:
    """Have the object `key` be the file, whose digest is `sha256`; one that is there already stays."""
    target = _Object(aws, region, bucket, key, sha256)
    if not target.has(path.stat().st_size):
        send_file(aws.means, target, path, sha256, part=_PART)


def delete_file(aws: Aws, region: str, bucket: str, key: str) -> None:
    """Delete the object."""
    aws.write("s3", region, "DeleteObject", Bucket=bucket, Key=key)


@dataclass(frozen=True, slots=True)
class _Object:
    """The object of the content with the digest `sha256`: a `PartStore`."""

    aws: Aws
    place: str
    bucket: str
    key: str
    sha256: str

    @property
    def address(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def has(self, size: int) -> bool:
        """Whether the object is there, with the content."""
        try:
            head = self.aws.read("s3", self.place, "HeadObject", **self._named, expected=_ABSENT)
        except AwsError:
            return False
        return (head["ContentLength"], head.get("Metadata", {}).get(_SHA256)) == (size, self.sha256)

    def is_open(self, upload: str) -> bool:
        try:
            self.aws.read("s3", self.place, "ListParts", **self._named, UploadId=upload, MaxParts=1,
                          expected=_ABSENT)  # fmt: skip
        except AwsError:
            return False
        return True

    def start(self) -> str:
        answer = self.aws.write(
            "s3", self.place, "CreateMultipartUpload", instead={"UploadId": "<the new upload>"},
            **self._named, Metadata={_SHA256: self.sha256}, ChecksumAlgorithm="SHA256",
        )  # fmt: skip
        return str(answer["UploadId"])

    def call(self, upload: str) -> Call:
        parameters = {**self._named, "UploadId": upload}
        return Call(place=self.place, operation="s3:UploadPart", parameters=parameters)

    def send(self, upload: str, part: Part, data: bytes) -> str:
        checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
        answer = self.aws.read("s3", self.place, "UploadPart", **self._named, UploadId=upload,
                               PartNumber=part.number, Body=data, ChecksumSHA256=checksum)  # fmt: skip
        return f"{answer['ETag']} {checksum}"

    def complete(self, upload: str, parts: Sequence[Part], receipts: Mapping[int, str]) -> None:
        made = [_completed(part, receipts[part.number]) for part in parts if receipts]
        self.aws.write("s3", self.place, "CompleteMultipartUpload", **self._named, UploadId=upload,
                       MultipartUpload={"Parts": made})  # fmt: skip

    @property
    def _named(self) -> Json:
        return {"Bucket": self.bucket, "Key": self.key}


def _completed(part: Part, receipt: str) -> Json:
    etag, _, checksum = receipt.partition(" ")
    return {"PartNumber": part.number, "ETag": etag, "ChecksumSHA256": checksum}

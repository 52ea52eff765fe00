"""The artifact as an object in OSS, from which ECS imports it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootimg.cloud.plugin import MIB, Call, Part, send_file

from .client import Aliyun
from .faults import AliyunError

_PART = 16 * MIB
_SHA256 = "sha256"
_ABSENT = ("NoSuchKey", "NoSuchUpload", "404")


@dataclass(frozen=True, slots=True)
class Object:
    """An object of a bucket: a `PartStore` for the content with the digest `sha256`."""

    aliyun: Aliyun
    place: str
    bucket: str
    key: str
    sha256: str

    @property
    def address(self) -> str:
        """The object's URL, as Alibaba's tools write it."""
        return f"oss://{self.bucket}/{self.key}"

    def put(self, path: Path) -> None:
        """Send the file, if the object is not there."""
        if not self._is_there():
            send_file(self.aliyun.means, self, path, self.sha256, part=_PART)

    def delete(self) -> None:
        """Delete the object."""
        self._write("DeleteObject")

    def is_open(self, upload: str) -> bool:
        """Whether the bucket still has the upload."""
        try:
            self._read("ListParts", upload_id=upload, max_parts=1)
        except AliyunError:
            return False
        return True

    def start(self) -> str:
        """Open an upload."""
        answer = self._write("InitiateMultipartUpload", needs="upload_id",
                             metadata={_SHA256: self.sha256})  # fmt: skip
        return str(answer.upload_id) if answer is not None else "<the new upload>"

    def call(self, upload: str) -> Call:
        """The call that sends a part."""
        parameters = {"bucket": self.bucket, "key": self.key, "upload_id": upload}
        return Call(place=self.place, operation="oss:UploadPart", parameters=parameters)

    def send(self, upload: str, part: Part, data: bytes) -> str:
        """Send a part, which OSS compares with its MD5; the SDK compares the CRC of the answer."""
        digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        answer = self._read("UploadPart", needs="etag", upload_id=upload, part_number=part.number, body=data,
                            content_md5=digest)  # fmt: skip
        return str(answer.etag)

    def complete(self, upload: str, parts: Sequence[Part], receipts: Mapping[int, str]) -> None:
        """Make the object of the parts."""
        from alibabacloud_oss_v2 import models

        made = [models.UploadPart(part_number=part.number, etag=receipts[part.number])
                for part in parts if receipts]  # fmt: skip
        whole = models.CompleteMultipartUpload(parts=made)
        try:
            self._write("CompleteMultipartUpload", upload_id=upload, complete_multipart_upload=whole)
        except AliyunError as error:
            # The answer to an earlier call may have been lost: the object is there then.
            if not self._is_there():
                raise error.error from None

    def _is_there(self) -> bool:
        try:
            head = self._read("HeadObject")
        except AliyunError:
            return False
        return (head.metadata or {}).get(_SHA256) == self.sha256

    def _read(self, operation: str, **parameters: Any) -> Any:  # noqa: ANN401
        return self.aliyun.storage(self.place, operation, expected=_ABSENT, bucket=self.bucket, key=self.key,
                                   **parameters)  # fmt: skip

    def _write(self, operation: str, **parameters: Any) -> Any:  # noqa: ANN401
        shown: dict[str, Any] = {
            key: parameters[key] for key in ("metadata", "upload_id") if key in parameters
        }
        call = Call(place=self.place, operation=f"oss:{operation}",
                    parameters={"bucket": self.bucket, "key": self.key, **shown})  # fmt: skip
        return self.aliyun.means.calls.make(call, lambda: self._read(operation, **parameters), None)

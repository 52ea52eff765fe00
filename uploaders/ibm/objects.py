"""Objects in buckets: found, sent in parts, made public, deleted."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootimg.cloud.plugin import MIB, BootimgError, Call, Part, Task, send_file

from .client import Cos, Json
from .faults import ABSENT, CosError
from .naming import SHA256

_PART = 16 * MIB
_EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"


@dataclass(frozen=True, slots=True)
class Object:
    """An object of a bucket: a `PartStore` for the content with the digest `sha256`."""

    cos: Cos
    place: str
    bucket: str
    key: str
    sha256: str
    public: bool = False

    @property
    def address(self) -> str:
        """The object's URL, as IBM's tools write it."""
        return f"cos://{self.place}/{self.bucket}/{self.key}"

    @property
    def named(self) -> Json:
        """The parameters of calls that name the object."""
        return {"Bucket": self.bucket, "Key": self.key}

    def head(self) -> Json | None:
        """Size and metadata of the object; None if there is none."""
        try:
            return self.cos.read(self.place, "HeadObject", expected=ABSENT, **self.named)
        except CosError:
            return None

    def is_there(self, task: Task) -> bool:
        """Whether the object is there; `cloud-image-foreign` if it is not of this build."""
        head = self.head()
        if head is None:
            return False
        has = head.get("Metadata", {}).get(SHA256)
        listed = any((each["bucket"], each["object"]) == (self.bucket, self.key) for each in task.entries)
        # coreos-assembler leaves no digest.
        if has == self.sha256 or (has is None and listed):
            return True
        unlisted = "" if listed else ", and meta.json does not list it"
        raise BootimgError(
            "cloud-image-foreign",
            f"{self.place} has another object of the name {self.key}: {self.address}",
            context=[
                f"its metadata {SHA256} is {has or 'missing'}{unlisted}",
                f"the artifact of this build is {self.sha256}",
            ],
            hint="find out whose it is; delete it, or give the build another id",
        )

    def put(self, path: Path) -> None:
        """Send the file."""
        send_file(self.cos.means, self, path, self.sha256, part=_PART)

    def delete(self) -> None:
        """Delete the object."""
        self.cos.write(self.place, "DeleteObject", **self.named)

    def is_public(self) -> bool:
        """Whether everybody may read the object."""
        answer = self.cos.read(self.place, "GetObjectAcl", needs="Grants", **self.named)
        return any(each.get("Grantee", {}).get("URI") == _EVERYBODY for each in answer["Grants"])

    def publish(self) -> None:
        """Let everybody read the object."""
        self.cos.write(self.place, "PutObjectAcl", **self.named, ACL="public-read")

    def is_open(self, upload: str) -> bool:
        """Whether the bucket still has the upload."""
        try:
            self.cos.read(self.place, "ListParts", expected=ABSENT, **self.named, UploadId=upload, MaxParts=1)
        except CosError:
            return False
        return True

    def start(self) -> str:
        """Open an upload."""
        answer = self.cos.write(
            self.place, "CreateMultipartUpload", instead={"UploadId": "<the new upload>"}, needs="UploadId",
            **self.named, ACL=self.acl, Metadata={SHA256: self.sha256},
        )  # fmt: skip
        return str(answer["UploadId"])

    def call(self, upload: str) -> Call:
        """The call that sends a part."""
        parameters = {**self.named, "UploadId": upload}
        return Call(place=self.place, operation="cos:UploadPart", parameters=parameters)

    def send(self, upload: str, part: Part, data: bytes) -> str:
        """Send a part, which the storage compares with its MD5."""
        digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        answer = self.cos.read(self.place, "UploadPart", needs="ETag", **self.named, UploadId=upload,
                               PartNumber=part.number, Body=data, ContentMD5=digest)  # fmt: skip
        return str(answer["ETag"])

    def complete(self, upload: str, parts: Sequence[Part], receipts: Mapping[int, str]) -> None:
        """Make the object of the parts."""
        made = [{"PartNumber": part.number, "ETag": receipts[part.number]} for part in parts if receipts]
        try:
            self.cos.write(self.place, "CompleteMultipartUpload", expected=ABSENT, **self.named,
                           UploadId=upload, MultipartUpload={"Parts": made})  # fmt: skip
        except CosError as error:
            # The answer to an earlier call may have been lost: the object is there then.
            head = self.head()
            if head is None or head.get("Metadata", {}).get(SHA256) != self.sha256:
                raise error.error from None

    @property
    def acl(self) -> str:
        """Who may read the object, as the storage says it."""
        return "public-read" if self.public else "private"

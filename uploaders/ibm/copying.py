"""Copies from bucket to bucket, made by the storage: the bytes do not pass through this machine."""

from __future__ import annotations

from bootimg.cloud.plugin import GIB, Call, Part, Step, even_parts, send_parts

from .client import COPY_TIMEOUT
from .objects import Object

_MOST = 5 * GIB
"""The storage copies larger objects in parts only."""
_PART = GIB


def copy_object(source: Object, target: Object, size: int, step: Step) -> None:
    """Copy an object of `size` bytes to another region, with its metadata."""
    if size > _MOST:
        _copy_parts(source, target, size, step)
        return
    target.cos.write(target.place, "CopyObject", needs="CopyObjectResult", **target.named, ACL=target.acl,
                     CopySource=source.named)  # fmt: skip


def _copy_parts(source: Object, target: Object, size: int, step: Step) -> None:
    means, parts, upload = target.cos.means, list(even_parts(size, _PART)), target.start()
    parameters = {**target.named, "UploadId": upload, "CopySource": source.named}

    def copy(part: Part) -> str:
        answer = target.cos.read(
            target.place, "UploadPartCopy", needs="CopyPartResult", timeout=COPY_TIMEOUT, **parameters,
            PartNumber=part.number, CopySourceRange=f"bytes={part.offset}-{part.offset + part.length - 1}",
        )  # fmt: skip
        return str(answer["CopyPartResult"]["ETag"])

    call = Call(place=target.place, operation="cos:UploadPartCopy", parameters=parameters, times=len(parts))
    receipts: dict[int, str] = means.calls.make(
        call,
        lambda: send_parts(parts, copy, of=upload, journal=means.journal, workers=means.workers, step=step,
                           stop=means.stop),
        {},
    )  # fmt: skip
    target.complete(upload, parts, receipts)

"""A page blob written page by page: only what is not all zeros, each part with its MD5.

Azure has unwritten pages as zeros.  What it has already is asked for, and compared with the journal.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from bootimg.cloud.plugin import (
    KIB,
    MIB,
    BootimgError,
    Call,
    ExitCode,
    Part,
    Source,
    Task,
    few_pages,
    send_parts,
    unsent,
    used_parts,
)

from .blobs import Blob
from .faults import AzureError

PAGE = 512
_PIECE, _MOST = 64 * KIB, 4 * MIB
"""What is tested for zeros, and what Azure takes in one call."""
_STEP = "blob"
Range = tuple[int, int]


def write_blob(blob: Blob, task: Task) -> None:
    """A complete blob of the artifact; continues one that an earlier run has begun."""
    with task.content.artifact() as image:
        _require_size(image.size)
        parts = page_parts(image)
        found = blob.find(task)
        if found is not None and found.size != image.size:
            raise _another_size(blob, found.size, image.size)
        token = found.token if found else _create(blob, task, image.size)
        _send(blob, image, parts, token)
    _complete(blob, task, token)


def page_parts(image: Source) -> list[Part]:
    """The ranges that are not all zeros, in whole pages, of at most 4 MiB."""
    parts: list[Part] = []
    for piece in used_parts(image, _PIECE):
        last = parts[-1] if parts else None
        if last and last.offset + last.length == piece.offset and last.length + piece.length <= _MOST:
            parts[-1] = Part(last.number, last.offset, last.length + piece.length)
        else:
            parts.append(piece)
    return parts


def joined(ranges: Iterable[Range]) -> list[Range]:
    """Ranges (start, end) in order, those that touch joined."""
    found: list[Range] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _require_size(size: int) -> None:
    """Azure takes disks of whole MiB; a fixed VHD is the disk and a footer of one page."""
    if (size - PAGE) % MIB == 0 and size > PAGE:
        return
    raise BootimgError(
        "vhd-size-invalid",
        f"Azure takes no VHD of {size} bytes",
        hint="it has a disk of whole MiB and a footer of 512 bytes; build the image anew",
        exit_code=ExitCode.USAGE,
    )


def _create(blob: Blob, task: Task, size: int) -> str:
    """Make the empty blob; its token, or that of an upload that was quicker."""
    from azure.core import MatchConditions

    azure, subject = blob.azure, f"{blob.url} {task.content.sha256}"
    token = "<token>" if azure.dry_run else azure.means.journal.token(_STEP, subject)
    metadata = blob.metadata(task, token, complete=False)

    def create() -> None:
        # Without the condition, Azure would empty a blob that is there.
        blob.client.create_page_blob(size, metadata=metadata, match_condition=MatchConditions.IfMissing)

    try:
        azure.write(blob.place, "blob:PutBlob", {"Blob": blob.name, "Size": size, "Metadata": metadata},
                    create, instead=None, expected=(409, 412))  # fmt: skip
    except AzureError as error:
        # An earlier call made it, and its answer was lost; or another upload did.
        found = blob.find(task)
        if found is None:
            raise error.error from None
        return found.token
    return token


def _send(blob: Blob, image: Source, parts: list[Part], token: str) -> None:
    azure, journal = blob.azure, blob.azure.means.journal
    of = f"{blob.url} {token}"
    sent = journal.parts(of)
    has = [] if azure.dry_run or not sent else written_ranges(blob)
    lost = [part for part in parts if part.number in sent and not _covers(has, part)]
    lost = [] if azure.dry_run else lost
    rest = unsent(parts, of, journal) + sum(part.length for part in lost)
    call = Call(place=blob.place, operation="blob:PutPage", parameters={"Blob": blob.name},
                times=len(parts) - len(sent) + len(lost), note=f"{rest} bytes")  # fmt: skip

    def put(part: Part) -> str:
        data = image.read(part.offset, part.length)
        what = f"blob:PutPage to {blob.name} in {blob.place}"
        answer = azure.read(
            what, lambda: blob.client.upload_page(data, part.offset, part.length, validate_content=True)
        )
        return str(answer.get("etag", ""))

    def send() -> None:
        means = azure.means
        with means.events.step(blob.place, blob.name, total=rest) as step:
            for some, subject in ((lost, f"{of} again {uuid.uuid4()}"), (parts, of)):
                send_parts(some, put, of=subject, journal=journal, workers=means.workers, step=step,
                           stop=means.stop)  # fmt: skip
        _require_all(blob, parts)

    azure.means.calls.make(call, send, None)


def written_ranges(blob: Blob) -> list[Range]:
    """The ranges (start, end) of the blob that were written."""

    what = f"blob:GetPageRanges of {blob.name} in {blob.place}"

    def read() -> list[Range]:
        pages = few_pages(blob.client.list_page_ranges().by_page(), what)
        return [(each.start, each.end + 1) for page in pages for each in page if not each.cleared]

    return joined(blob.azure.read(what, read))


def _covers(ranges: list[Range], part: Part) -> bool:
    return any(start <= part.offset and part.offset + part.length <= end for start, end in ranges)


def _require_all(blob: Blob, parts: list[Part]) -> None:
    """The blob has what was sent and nothing else; else `cloud-image-failed`."""
    if written_ranges(blob) == joined((part.offset, part.offset + part.length) for part in parts):
        return
    raise BootimgError(
        "cloud-image-failed",
        f"the pages of the blob {blob.name} in {blob.place} are not those that were sent",
        hint="something else writes to it: delete the blob, and run the same command again",
    )


def _complete(blob: Blob, task: Task, token: str) -> None:
    metadata = blob.metadata(task, token, complete=True)
    blob.azure.write(
        blob.place, "blob:SetBlobMetadata", {"Blob": blob.name, "Metadata": metadata},
        lambda: blob.client.set_blob_metadata(metadata), instead=None,
    )  # fmt: skip
    if not blob.azure.dry_run:
        blob.azure.means.journal.note(_STEP, "done", f"{blob.url} {task.content.sha256}")


def _another_size(blob: Blob, has: int, size: int) -> BootimgError:
    return BootimgError(
        "cloud-image-failed",
        f"the blob {blob.name} in {blob.place} has {has} bytes, and the artifact {size}",
        hint="delete the blob, and run the same command again",
    )

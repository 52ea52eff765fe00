"""The object in Cloud Storage that an image is made of."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bootimg.cloud.plugin import MIB, BootimgError, Call, ExitCode

from .client import TIMEOUT, Gcp
from .faults import GcpError
from .naming import SHA256
from .session import CHUNK, Session, SessionGoneError, State

_STEP = "object"
_SESSIONS = 3
"""How often an upload is begun anew if its session is lost."""


def put_file(gcp: Gcp, bucket: str, key: str, path: Path, sha256: str, acl: str | None) -> bool:
    """Have the object `key` be the file, whose digest is `sha256`; whether it had to be sent.

    Errors: `cloud-image-foreign` if there is another object of the name, `cloud-bucket-missing`,
    `cloud-image-failed`.
    """
    size, crc32c = path.stat().st_size, _crc32c(path)
    where = f"gs://{bucket}/{key}"
    found = _find(gcp, bucket, key)
    if found is not None:
        _require_same(found, where, size, crc32c)
        return False
    parameters = {"bucket": bucket, "name": key, "size": size, "predefinedAcl": acl}

    def send() -> Mapping[str, Any]:
        return _sent(gcp, bucket, key, path, _Facts(size, crc32c, sha256, acl))

    call = Call(place=gcp.project, operation="storage.objects.insert", parameters=parameters,
                times=-(-size // CHUNK), note=f"{size} bytes")  # fmt: skip
    made: Mapping[str, Any] = gcp.means.calls.make(call, send, {})
    if not gcp.dry_run:
        _require_same(made, where, size, crc32c)
        gcp.means.journal.note(_STEP, "done", f"{where} {sha256}")
    return True


def delete_object(gcp: Gcp, bucket: str, key: str) -> bool:
    """Delete the object; whether it was there."""
    if _find(gcp, bucket, key) is None:
        return False
    blob = gcp.clients.storage.bucket(bucket).blob(key)
    try:
        gcp.write("storage.objects.delete", {"bucket": bucket, "name": key},
                  lambda: blob.delete(timeout=TIMEOUT, retry=None), None, expected=(404,))  # fmt: skip
    except GcpError:
        # The answer to an earlier call was lost.
        return True
    return True


class _Facts:
    """What a session needs of a file."""

    def __init__(self, size: int, crc32c: str, sha256: str, acl: str | None) -> None:
        self.size, self.crc32c, self.sha256, self.acl = size, crc32c, sha256, acl


def _find(gcp: Gcp, bucket: str, key: str) -> Mapping[str, Any] | None:
    def look() -> Mapping[str, Any] | None:
        blob = gcp.clients.storage.bucket(bucket).get_blob(key, timeout=TIMEOUT, retry=None)
        return None if blob is None else {"size": blob.size, "crc32c": blob.crc32c}

    return gcp.read(f"storage.objects.get of gs://{bucket}/{key}", look)


def _require_same(found: Mapping[str, Any], where: str, size: int, crc32c: str) -> None:
    if (int(found["size"]), found["crc32c"]) == (size, crc32c):
        return
    raise BootimgError(
        "cloud-image-foreign",
        f"{where} has another content than the artifact of this build",
        context=[
            f"it has {found['size']} bytes with the CRC-32C {found['crc32c']}",
            f"the artifact has {size} bytes with the CRC-32C {crc32c}",
        ],
        hint="find out whose it is; delete it, or give the build another id",
    )


def _sent(gcp: Gcp, bucket: str, key: str, path: Path, facts: _Facts) -> Mapping[str, Any]:
    """Send the file, in the session of an earlier run if there is one; return the object."""
    subject = f"gs://{bucket}/{key} {facts.sha256}"
    for _ in range(_SESSIONS):
        before = _begun(gcp, subject)
        address = before or _start(gcp, bucket, key, facts, subject)
        session = Session(gcp=gcp, address=address, size=facts.size, crc32c=facts.crc32c,
                          what=f"storage.objects.insert of gs://{bucket}/{key}")  # fmt: skip
        try:
            state = session.state() if before else State(0)
            return _send(gcp, session, state, path)
        except SessionGoneError:
            gcp.means.journal.note(_STEP, "failed", subject)
    raise BootimgError(
        "cloud-image-failed",
        f"Cloud Storage lost the upload of gs://{bucket}/{key} {_SESSIONS} times",
        hint="run the same command later",
    )


def _begun(gcp: Gcp, subject: str) -> str | None:
    record = gcp.means.journal.last(_STEP, subject)
    return str(record["session"]) if record.get("state") == "begun" and record.get("session") else None


def _start(gcp: Gcp, bucket: str, key: str, facts: _Facts, subject: str) -> str:
    blob = gcp.clients.storage.bucket(bucket).blob(key)
    blob.metadata = {SHA256: facts.sha256}

    def create() -> str:
        # Without an object of the name only: nothing is ever overwritten.
        return str(
            blob.create_resumable_upload_session(
                content_type="application/x-gzip", size=facts.size, timeout=TIMEOUT, checksum=None,
                predefined_acl=facts.acl, if_generation_match=0, retry=None,
            )
        )  # fmt: skip

    try:
        address = gcp.read(f"storage.objects.insert of gs://{bucket}/{key}", create, expected=(404,))
    except GcpError:
        raise BootimgError(
            "cloud-bucket-missing",
            f"the bucket {bucket} does not exist",
            hint="check `bucket`; bootimg does not make buckets",
            exit_code=ExitCode.USAGE,
        ) from None
    gcp.means.journal.note(_STEP, "begun", subject, session=address)
    return address


def _send(gcp: Gcp, session: Session, state: State, path: Path) -> Mapping[str, Any]:
    """Send what the session does not have yet; return the object."""
    title = f"{path.name} to Cloud Storage"
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with gcp.means.events.step(gcp.project, title, total=session.size - state.offset) as step:
            while state.made is None:
                gcp.means.stop.check()
                before = state.offset
                state = session.send(os.pread(fd, CHUNK, before), before)
                step.advance(max(0, state.offset - before))
    finally:
        os.close(fd)
    return state.made


def _crc32c(path: Path) -> str:
    """The checksum of a file as Cloud Storage writes it."""
    import google_crc32c

    checksum = google_crc32c.Checksum()
    with path.open("rb") as file:
        while data := file.read(4 * MIB):
            checksum.update(data)
    return base64.b64encode(checksum.digest()).decode()

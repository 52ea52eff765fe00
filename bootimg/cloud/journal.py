"""The journal of uploads, beside the build: what a killed upload needs to continue.

There is one for each uploader and account.  Its lock keeps two uploads of a build to one account apart.
A journal holds names, ids and addresses of sessions, never a credential.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bootimg.builds.layout import UPLOAD
from bootimg.builds.locks import HeldError, owned_lock
from bootimg.errors import BootimgError
from bootimg.recordlog import Appender, Record, RecordLog

_PART, _SENT = "part", "sent"


def journal_path(folder: Path, uploader: str, account: str | None) -> Path:
    """The journal of an uploader's account in the folder of a build."""
    return folder / f"{UPLOAD}{'-'.join(filter(None, (uploader, account)))}.ndjson"


@dataclass
class Journal:
    """Records of steps, each with a `subject` (the thing it is about), and of parts.

    Without an appender (in a dry run) nothing is written.
    """

    appender: Appender | None = None
    before: list[Record] = field(default_factory=list)

    def note(self, step: str, state: str, subject: str, **facts: object) -> None:
        """Record a step; it is durable afterwards."""
        record = {"step": step, "state": state, "subject": subject, **facts}
        self.before.append(record)
        if self.appender is not None:
            self.appender.append(record)

    def last(self, step: str, subject: str) -> Mapping[str, Any]:
        """The newest record of a step; empty if there is none."""
        found = [each for each in self.before if (each["step"], each.get("subject")) == (step, subject)]
        return found[-1] if found else {}

    def token(self, step: str, subject: str) -> str:
        """A token that makes a call safe to repeat: the same until `note` records the step's end as `done`.

        It is recorded before the call, so that a killed upload repeats the call with it.
        """
        before = self.last(step, subject)
        if before.get("state") == "begun" and isinstance(before.get("token"), str):
            return str(before["token"])
        token = str(uuid.uuid4())
        self.note(step, "begun", subject, token=token)
        return token

    def part(self, of: str, number: int, receipt: str) -> None:
        """Record that a part was sent; `receipt` is what the end of the upload needs of it."""
        if self.appender is not None:
            record = {"step": _PART, "state": _SENT, "subject": of, "number": number, "receipt": receipt}
            self.appender.append(record)

    def parts(self, of: str) -> dict[int, str]:
        """The receipts of the parts that were sent in earlier runs."""
        found = [each for each in self.before if (each["step"], each.get("subject")) == (_PART, of)]
        pairs = ((each.get("number"), each.get("receipt")) for each in found)
        return {number: text for number, text in pairs if type(number) is int and isinstance(text, str)}


@contextmanager
def open_journal(folder: Path, uploader: str, account: str | None, *, dry_run: bool) -> Iterator[Journal]:
    """The journal of a build's uploads; `upload-running` if another process holds it."""
    path = journal_path(folder, uploader, account)
    if dry_run:
        yield Journal(before=RecordLog(path).records())
        return
    lock = path.with_suffix(".lock")
    with _locked(lock, folder), RecordLog(path).opened() as appender:
        # Who knows the address of an upload's session may write to it; another user's file stays as it is.
        with suppress(PermissionError):
            path.chmod(path.stat().st_mode & 0o770)
        yield Journal(appender, RecordLog(path).records())


@contextmanager
def _locked(lock: Path, folder: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(owned_lock(lock))
        except HeldError as error:
            raise BootimgError(
                "upload-running",
                f"another process is uploading {folder}",
                context=[line for line in (str(error),) if line],
                hint="wait for it, or end it; the same command continues what it has begun",
            ) from None
        yield

"""What must not be when storage fails: a traceback, a half-written file, a result that is lost."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from signal import Signals

from bootimg.errors import ExitCode
from bootimg.partialfiles import PARTIAL
from tests.support.faults.library import Injection

Tree = Mapping[str, str]
"""What a folder holds: for each name a digest of the content, the target of a link, or `folder`."""
DOCUMENT = "json:"
"""Stands before the digest of a whole JSON document."""
TIMES = re.compile(
    rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"
    rb"|\b1[5-9]\d{8}(\d{9}|\.\d+)?\b|\b0\.\d{5,}\b|\"(free|unused-seconds)\": \d+"
)
"""What two runs have different: times, and what depends on them."""
_HIDDEN = re.compile(r"(^|/)\.")
_ERROR = re.compile(r"^error: ([a-z0-9-]+)$", re.MULTILINE)


def content_digest(name: str, data: bytes) -> str:
    """What a tree has of a file."""
    plain = TIMES.sub(b"TIME", data)
    return f"{DOCUMENT if _is_json(name, plain) else ''}{hashlib.sha256(plain).hexdigest()}"


def _is_json(name: str, data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return name.endswith(".json")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a verb ended, and the calls that the library saw: kind and path of each."""

    code: int
    said: str
    calls: tuple[str, ...] = ()

    @property
    def error(self) -> str | None:
        """The id of the error that it ended with."""
        found = _ERROR.findall(self.said)
        return str(found[-1]) if found and self.code else None


@dataclass(frozen=True, slots=True)
class Reference:
    """The folder before and after a verb without a fault, and what the verb said."""

    before: Tree
    after: Tree
    whole: Ran


def wrong_at_once(ran: Ran, now: Tree, reference: Reference, injection: Injection) -> str:
    """What is wrong after a verb that met a fault; empty if nothing is."""
    if "Traceback" in ran.said or "Exception ignored" in ran.said:
        return "traceback"
    if ran.error is None and ran.code != reference.whole.code:
        return f"failed with {ran.code}, without an error's id"
    seen, wanted = _seen(now), _seen(reference.after)
    if ran.error is None and seen != wanted:
        return f"completed, but with another result: {_difference(seen, wanted)}"
    # A verb may report the fault as a finding or a warning instead of an error.  Texts for people have times
    # that differ.
    told = os.strerror(injection.number) in ran.said or not ran.said.startswith("{")
    # A folder of another user, which may not be listed, is no part of a cache's size.
    told = told or (injection.call == "list" and injection.number == errno.EACCES)
    if ran.error is None and ran.said != reference.whole.said and not told:
        return f"completed, but with another output: {ran.said[-300:]}"
    half = _half_written(now, reference)
    return f"half-written: {half}" if half else ""


def wrong_when_stopped(ran: Ran, now: Tree, reference: Reference, injection: Injection) -> str:
    """What is wrong after a verb that got a signal; empty if nothing is."""
    if "Traceback" in ran.said or "Exception ignored" in ran.said:
        return "traceback"
    killed = injection.stops is Signals.SIGKILL
    # It may come when all is done.
    if ran.code not in (-Signals.SIGKILL if killed else ExitCode.INTERRUPTED, reference.whole.code):
        return f"ended with {ran.code}"
    if half := _half_written(now, reference):
        return f"half-written: {half}"
    # What it has finished stays, and what says where to go on.
    left = [name for name in now if PARTIAL in name]
    return f"left: {', '.join(left)}" if left and not killed else ""


def _half_written(now: Tree, reference: Reference) -> str:
    # A build writes its documents again after each step.
    seen, wanted = _seen(now), _seen(reference.after)
    whole = [name for name in seen if not seen[name].startswith(DOCUMENT)]
    return ", ".join(
        name for name in whole if seen[name] not in (reference.before.get(name), wanted.get(name))
    )


def wrong_afterwards(again: Ran, now: Tree, reference: Reference, injection: Injection) -> str:
    """What is wrong after the same verb ran again without the fault; empty if nothing is."""
    if again.code != reference.whole.code:
        return f"does not go on: {again.said[-300:]}"
    if any(now.get(name) != found for name, found in reference.after.items()):
        return f"lost: {_difference(now, reference.after)}"
    # A file that the finished work has replaced by another may stay, and what could not be removed.
    left = [name for name in now if name not in reference.after and now[name] != reference.before.get(name)]
    if left and injection.call != "unlink" and not injection.lasting:
        return f"left for ever: {', '.join(left)}"
    return ""


def _seen(tree: Tree) -> Tree:
    """The files without hidden names; nobody takes a file with a hidden name for a whole one."""
    return {name: found for name, found in tree.items() if not _HIDDEN.search(name)}


def _difference(now: Tree, wanted: Tree) -> str:
    return ", ".join(sorted(name for name in {**now, **wanted} if now.get(name) != wanted.get(name)))

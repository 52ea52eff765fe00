"""Removing old builds, so that a reader of the tree always finds the builds that builds.json lists.

The steps are: mark the build's folder, remove it from builds.json, rename the folder to a hidden name,
delete it.  The next run removes leftovers of a killed one (marked but not listed, or hidden).
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootimg.atomic import Opening, open_own, sync
from bootimg.builds.index import change_index, read_index, tags_of, without
from bootimg.builds.layout import META, PRUNED, UPLOAD
from bootimg.builds.locks import HeldError, build_lock, owned_lock
from bootimg.builds.meta import built_at, read_json
from bootimg.builds.names import safe_name
from bootimg.builds.policy import with_cleanup, with_tombstones
from bootimg.errors import BootimgError, ExitCode

_HIDDEN = ".pruned-"
Index = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """The builds to keep: those with a tag, and the `keep_last` newest of the others.

    With `older_than`, in seconds, younger builds stay too.
    """

    keep_last: int
    older_than: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a build is removed; `reason` says why it stays."""

    id: str
    removed: bool
    reason: str = ""


def judge(builds: Path, rule: Rule) -> list[Verdict]:
    """The verdict on every build, newest first."""
    index = read_index(builds)
    tags, remaining, found = tags_of(index), rule.keep_last, []
    for entry in index["builds"]:
        build_id = safe_name(entry["id"], str(builds))
        if build_id in tags:
            found.append(_tagged(build_id, tags))
        elif remaining > 0:
            remaining -= 1
            found.append(Verdict(build_id, False, f"one of the last {rule.keep_last}"))
        elif rule.older_than is not None and _age(builds / build_id) < rule.older_than:
            found.append(Verdict(build_id, False, "not old enough"))
        else:
            found.append(Verdict(build_id, True))
    return found


def judge_named(builds: Path, names: Sequence[str]) -> list[Verdict]:
    """The verdicts on named builds: all are removed.  Errors: `build-not-found`, `build-tagged`."""
    index = read_index(builds)
    tags, known = tags_of(index), {entry["id"] for entry in index["builds"]}
    for name in names:
        if name not in known:
            raise BootimgError(
                "build-not-found",
                f"{builds / 'builds.json'} lists no build {name}",
                hint="`bootimg builds list` lists the builds",
                exit_code=ExitCode.USAGE,
            )
        if name in tags:
            raise BootimgError(
                "build-tagged",
                f"build {name} has the tag {', '.join(tags[name])}",
                hint="move the tag to another build first",
                exit_code=ExitCode.USAGE,
            )
    return [Verdict(safe_name(name, str(builds)), True) for name in dict.fromkeys(names)]


def prune(builds: Path, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Remove builds according to the verdicts, and return the results; a build in use stays."""
    if not builds.is_dir():
        return []
    with build_lock(builds):
        _clean(builds)
        return [_remove(builds, each.id, without) if each.removed else each for each in verdicts]


def bury(builds: Path, build_ids: Sequence[str]) -> list[Verdict]:
    """Remove builds, which `tombstone-builds` of builds.json lists from then on; a build in use stays."""
    with build_lock(builds):
        _clean(builds)
        return [_remove(builds, each, _buried) for each in build_ids]


def _buried(index: Index, build_ids: Collection[str]) -> Index:
    for each in build_ids:
        index = with_cleanup(index, each, {"build": True})
    return with_tombstones(index, [each for each in index["builds"] if each["id"] in build_ids])


def _remove(builds: Path, build_id: str, unlist: Callable[[Index, Collection[str]], Index]) -> Verdict:
    folder = builds / build_id
    with ExitStack() as locks:
        try:
            _hold(folder, locks)
        except HeldError:
            return Verdict(build_id, False, "another process is uploading it")
        except BootimgError as error:
            if error.id != "build-running":
                raise
            return Verdict(build_id, False, "another process is at work in it")
        if folder.is_dir():
            open_own(folder / PRUNED, Opening.LOCK).close()
            sync(folder)
        index = change_index(builds, lambda index: _unless_tagged(index, build_id, unlist))
        if any(each["id"] == build_id for each in index["builds"]):
            (folder / PRUNED).unlink(missing_ok=True)
            return _tagged(build_id, tags_of(index))
        _delete(folder)
    return Verdict(build_id, True)


def _unless_tagged(index: Index, build_id: str, unlist: Callable[[Index, Collection[str]], Index]) -> Index:
    return index if build_id in tags_of(index) else unlist(index, {build_id})


def _hold(folder: Path, locks: ExitStack) -> None:
    for each in sorted(folder.glob("*/")):
        locks.enter_context(build_lock(each))
        for upload in sorted(each.glob(f"{UPLOAD}*.lock")):
            locks.enter_context(owned_lock(upload))


def _delete(folder: Path) -> None:
    if not folder.exists():
        return
    hidden = folder.with_name(f"{_HIDDEN}{folder.name}-{secrets.token_hex(4)}")
    folder.replace(hidden)
    sync(folder.parent)
    shutil.rmtree(hidden)


def _clean(builds: Path) -> None:
    """Finish the removals that a killed run began."""
    listed = {entry["id"] for entry in read_index(builds)["builds"]}
    for mark in sorted(builds.glob(f"*/{PRUNED}")):
        folder = mark.parent
        if folder.is_symlink() or folder.name.startswith("."):
            continue
        if folder.name in listed:
            mark.unlink(missing_ok=True)
        else:
            _remove(builds, folder.name, without)
    for hidden in sorted(builds.glob(f"{_HIDDEN}*")):
        shutil.rmtree(hidden)


def _tagged(build_id: str, tags: dict[str, list[str]]) -> Verdict:
    return Verdict(build_id, False, f"has the tag {', '.join(tags.get(build_id, ()))}")


def _age(folder: Path) -> float:
    """Seconds since the newest architecture was built, from meta.json or else its modification time."""
    moments = [_built(meta) for meta in folder.glob(f"*/{META}")]
    return time.time() - max(moments, default=0.0)


def _built(meta: Path) -> float:
    found = built_at(read_json(meta))
    return meta.stat().st_mtime if found is None else found

"""Pushes a site to a bucket: pages that changed, those that link to others last."""

from __future__ import annotations

from pathlib import Path

from bootimg.builds.bucket.tree import METADATA_AGE, Bucket, Head
from bootimg.builds.find import digest_of
from bootimg.events import Events


def push_site(folder: Path, bucket: Bucket, events: Events) -> int:
    """Push the files of a site; returns how many were missing or different.

    Pages of builds that the site no longer has stay in the bucket, without a link to them.
    """
    paths = sorted((each for each in folder.rglob("*") if each.is_file()), key=_last_links)
    sent = 0
    with events.step(f"push {folder.name}", f"Pushing {bucket.url('')}", total=len(paths)) as step:
        for path in paths:
            key, ours = path.relative_to(folder).as_posix(), Head(path.stat().st_size, digest_of(path))
            assert ours.sha256 is not None
            if bucket.head(key, optional=True) != ours:
                bucket.upload(path, key, ours.sha256, METADATA_AGE, lambda _: None)
                sent += 1
            step.advance(1)
    return sent


def _last_links(path: Path) -> tuple[int, str]:
    """Pages in deeper folders come first: a page links downwards."""
    return -len(path.parts), str(path)

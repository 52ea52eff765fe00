"""Rules about two streams: the newer one must not lose content of the older one."""

from __future__ import annotations

from collections.abc import Iterator

from bootimg.streams.lint.findings import StreamFinding
from bootimg.streams.metadata.inventory import ARTIFACTS, EXTENSIONS, Place, inventory
from bootimg.streams.metadata.stream import Stream


def lost_things(before: Stream, after: Stream) -> Iterator[StreamFinding]:
    """The regions, platforms, formats, extensions and architectures that are missing in `after`.

    Consumers silently skip a region that they do not find, so nothing else reports the loss.
    """
    there = inventory(after)
    names = {place[:3] for place in there}
    for place in inventory(before):
        if place not in there:
            yield _lost(place, place[:3] in names, after)


def _lost(place: Place, partly: bool, after: Stream) -> StreamFinding:
    """The finding about the largest lost part; `partly` if other parts with the same name still exist."""
    message = "the previous stream has it, this one does not"
    if place.arch not in after.architectures:
        return StreamFinding("lost-architecture", place.arch, message)
    where = str(place if partly else place._replace(part=""))
    if place.section == EXTENSIONS:
        return StreamFinding("lost-extension", where, message)
    if place.section == ARTIFACTS:
        return StreamFinding("lost-format" if partly else "lost-platform", where, message)
    return StreamFinding("lost-region" if partly else "lost-images", where, message)

"""The builds that a stream's entries are compared with."""

from __future__ import annotations

from bootimg.errors import BootimgError
from bootimg.streams.lint.findings import StreamFinding
from bootimg.streams.metadata.buildchoice import wanted_build
from bootimg.streams.metadata.buildmeta import Built
from bootimg.streams.metadata.inventory import Item, Place
from bootimg.streams.metadata.sources import BuildSource


class Builds:
    """The builds of a stream, each read once."""

    def __init__(self, source: BuildSource | None) -> None:
        self._source = source
        self._found: dict[tuple[str, str], Built | BootimgError] = {}

    def find(self, place: Place, item: Item) -> Built | StreamFinding | None:
        """The build of an entry; a finding if it is missing, None without a source of builds."""
        if self._source is None:
            return None
        key = (place.arch, item.release or "")
        if key not in self._found:
            self._found[key] = self._read(self._source, *key)
        build = self._found[key]
        if isinstance(build, BootimgError):
            return StreamFinding("build-missing", " ".join(key), build.message)
        return build

    @staticmethod
    def _read(source: BuildSource, arch: str, release: str) -> Built | BootimgError:
        try:
            return source.build(wanted_build(arch, release))
        except BootimgError as error:
            return error

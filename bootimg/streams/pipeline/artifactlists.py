"""The artifacts of a stream's builds: the rule of the pipeline's `get_artifacts_to_build` (utils.groovy)."""

from __future__ import annotations

from bootimg.streams.pipeline.section import Section

EVERY_ARCH = "all"


def resolve_artifacts(config: Section, stream: Section, arch: str) -> tuple[str, ...]:
    """The names of a stream's artifacts for an architecture, in the file's order and without repetition.

    The stream's own list for the architecture wins if it is not empty.  Otherwise they are the default and
    additional artifacts, for all architectures and for this one, without the skipped ones.
    """
    own = stream.section("artifacts").texts(arch)
    if own:
        return tuple(dict.fromkeys(own))
    wanted = _both(config, "default_artifacts", arch) + _both(stream, "additional_artifacts", arch)
    skipped = set(_both(stream, "skip_artifacts", arch))
    return tuple(name for name in dict.fromkeys(wanted) if name not in skipped)


def _both(section: Section, key: str, arch: str) -> tuple[str, ...]:
    lists = section.section(key)
    return lists.texts(EVERY_ARCH) + lists.texts(arch)

"""Requests for several architectures of one build."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

from bootimg import defaults
from bootimg.api.choosing import LayerUnclear, layer_of, stream_of
from bootimg.api.keywords import BuildKeywords
from bootimg.api.requesting import request
from bootimg.arch import Arch, ArchChoice
from bootimg.builds.find import find_build, find_builds
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.layer.fetching.arches import architectures_of, require_arches
from bootimg.layer.fetching.fetch import RegistryOptions
from bootimg.orchestrator.manyarches.names import NamesOf, names_for
from bootimg.orchestrator.manyarches.requests import ArchRequests
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.selection import require_arch
from bootimg.untrusted.limits import DEFAULT

_UNKNOWN = "bootimg does not know this architecture"


def arch_requests(
    image: str | None,
    choice: ArchChoice,
    *,
    events: Events | None = None,
    **keywords: Unpack[BuildKeywords],
) -> ArchRequests:
    """The requests that the keywords amount to, one for each architecture; `arch` is not among the keywords.

    Of architectures that are named, each must exist and have all platforms.  If all are asked for, they are
    those that the image (or the build of `from_build`) and the stream have.  A platform that an architecture
    lacks is left out for it, and so is an architecture for which nothing is left.  Raises the errors of
    `request`, `layer-arch-mismatch`, and the error of a platform that no architecture has.
    """
    there = _there(image, choice, keywords)
    if choice.named:
        return ArchRequests(requests=dict(_requests(image, choice.named, events, keywords)))
    return _every(image, there, events, keywords)


@dataclass(frozen=True, slots=True)
class _There:
    """The architectures that there are, and the names of those that are left out, with the reasons."""

    arches: tuple[Arch, ...]
    left_out: Mapping[str, str]


def _there(image: str | None, choice: ArchChoice, keywords: BuildKeywords) -> _There:
    """The architectures of the image or the build; raises an error if a named one is not among them."""
    source, builds = keywords.get("from_build"), Path(keywords.get("builds", defaults.BUILDS))
    if image is not None and source is not None:
        raise LayerUnclear(both=True)
    if source is not None:
        named = [find_build(builds, source, arch) for arch in choice.named]
        found = tuple(each.arch for each in named or find_builds(builds, source))
        return _There(found, {})
    reference = layer_of(image, stream_of(keywords))
    names = architectures_of(
        reference, keywords.get("registry", RegistryOptions()), keywords.get("limits", DEFAULT)
    )
    known = require_arches(reference, choice.named, names)
    unknown = (name for name in names if name not in [arch.oci for arch in known])
    return _There(known, dict.fromkeys(unknown, _UNKNOWN))


def _every(image: str | None, there: _There, events: Events | None, keywords: BuildKeywords) -> ArchRequests:
    arches, left_out = _of_stream(there, keywords)
    names = keywords.get("platforms")
    has = names_for(names, arches) if names else dict.fromkeys(arches, NamesOf(()))
    made: dict[Arch, Request] = {}
    refused: dict[Arch, BootimgError] = {}
    for arch, found in has.items():
        if found.lacking and not found.there:
            left_out[arch] = "; ".join(f"{name}: {why}" for name, why in found.lacking.items())
            continue
        mine: BuildKeywords = {**keywords, "platforms": found.there} if names else keywords
        try:
            # What is wrong with the stream's file is told once.
            told = None if made or refused else events
            made |= {each: _without(one, found) for each, one in _requests(image, [arch], told, mine)}
        except BootimgError as error:
            refused[arch] = error
    return ArchRequests(requests=made, refused=refused, left_out=left_out, every=True)


def _of_stream(there: _There, keywords: BuildKeywords) -> tuple[tuple[Arch, ...], dict[str, str]]:
    """The architectures that the stream has too, and what is left out; raises if none is left."""
    stream, left_out = stream_of(keywords), dict(there.left_out)
    if stream is None:
        return there.arches, left_out
    both = tuple(arch for arch in there.arches if arch in stream.arches)
    if not both:
        require_arch(stream, there.arches[0])
    for arch in there.arches:
        if arch not in both:
            left_out[arch] = f"the stream {stream.name} has no builds for it"
    for arch in stream.arches:
        if arch not in both:
            left_out[arch] = f"the stream {stream.name} has it, but there is no layer for it"
    return both, left_out


def _requests(
    image: str | None, arches: Iterable[Arch], events: Events | None, keywords: BuildKeywords
) -> Iterator[tuple[Arch, Request]]:
    for arch in arches:
        mine: BuildKeywords = {**keywords, "arch": arch}
        yield arch, request(image, events=events, **mine)
        events = None


def _without(wanted: Request, names: NamesOf) -> Request:
    """The request, whose record says which platforms its architecture lacks."""
    left_out = {**wanted.selection.left_out, **names.lacking}
    return replace(wanted, selection=replace(wanted.selection, left_out=left_out))

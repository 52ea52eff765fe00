"""More artifacts of a build that exists: the layer comes from its own archive, the rest from its journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from bootimg.builds.find import Build
from bootimg.builds.layout import build_folder
from bootimg.builds.record import read_record
from bootimg.checks.findings import Finding
from bootimg.checks.purity import Purity
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.image.fetched import Image
from bootimg.orchestrator.artifacts.compressors import Compressors
from bootimg.orchestrator.journal import NAME, RUN, Journal
from bootimg.orchestrator.recipes.prepare import Layer
from bootimg.orchestrator.recipes.variables import target_imgref
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.selection import TESTS, names_of, only_for_tests
from bootimg.targets import LAYER_KEY, MANIFEST_KEY, every_target


@dataclass(frozen=True, slots=True)
class Judged:
    """How the purity of a build's layer was looked at; None is what is not known."""

    purity: Purity | None = None
    allow: tuple[str, ...] | None = None


def asked(
    request: Request,
    layer: Layer,
    impure: Sequence[Finding] = (),
    before: Mapping[str, object] = MappingProxyType({}),
) -> Mapping[str, object]:
    """What a later run must know of this one: to make the same base disk of the archive, to compress.

    What the layer has of OpenShift is kept for whoever asks later, and so is what `before`, the last run's
    record, says of it: this one may not have looked.
    """
    return {
        "reference": layer.image.reference,
        "digest": layer.image.digest,
        "target-imgref": target_imgref(request, layer.image, layer.facts),
        "size": request.size,
        "compressor": layer.facts.image_json.compressor,
        "platform-compressor": dict(layer.facts.image_json.platform_compressor),
        "purity": request.purity.value,
        "allow": list(request.allow),
        "impure": _impure(layer, impure, before),
    }


def _impure(layer: Layer, found: Sequence[Finding], before: Mapping[str, object]) -> list[object]:
    now: list[object] = [each.as_dict() for each in found]
    known = before.get("impure")
    if not isinstance(known, list) or before.get("digest", layer.image.digest) != layer.image.digest:
        return now
    return [*now, *(each for each in known if each not in now)]


def judged(build: Build) -> Judged:
    """How the layer of a build was looked at when it was last made; coreos-assembler does not look."""
    before = Journal(build.path / NAME).last(RUN, "begun")
    purity, allow = before.get("purity"), before.get("allow")
    return Judged(
        purity=next((each for each in Purity if each == purity), None),
        allow=tuple(map(str, allow)) if isinstance(allow, list) else None,
    )


def compressors_of(build: Build) -> Compressors:
    """What the layer of a build says of compression; nothing where coreos-assembler made the build."""
    before = Journal(build.path / NAME).last(RUN, "begun")
    return Compressors(before.get("compressor"), before.get("platform-compressor") or {})


def request_again(build: Build, request: Request) -> Request:
    """The request for more artifacts of `build`, which was made by us or by coreos-assembler.

    What the request does not say is as it was when the build was made.  One that skips disk images gets
    none: `disk-images-skipped`.
    """
    reason = request.selection.skip_reason or read_record(build.path).skip_reason
    if reason is not None:
        only_for_tests(names_of(request.platforms, request.selection.targets), reason)
    before = Journal(build.path / NAME).last(RUN, "begun")
    return replace(
        request,
        source=build,
        reference=str(build.artifact(LAYER_KEY).absolute()),
        arch=build.arch,
        builds=build.path.parent.parent,
        target_imgref=request.target_imgref or before.get("target-imgref"),
        size=request.size if request.size is not None else before.get("size"),
        selection=replace(request.selection, skip_reason=reason),
    )


def only_failed(request: Request, version: str) -> Request:
    """The request for those targets alone that failed when the build was last made.

    What is skipped now is not made again, whatever failed then.
    """
    folder = build_folder(request.builds, version, request.arch)
    failed = Journal(folder / NAME).failed()
    if request.selection.skip_reason is not None:
        failed = tuple(name for name in failed if name == TESTS)
    known = {each.name: each for each in every_target() if each.on_request}
    found = [known[name] for name in failed if name in known]
    return replace(
        request,
        platforms=tuple(each.platform for each in found if each.platform),
        selection=replace(request.selection, targets=tuple(each for each in found if each.platform is None)),
    )


def require_same_image(build: Build, image: Image) -> None:
    """Refuse an archive that is not the image that the build was made from: `build-archive-changed`."""
    wanted = build.images.get(MANIFEST_KEY, {}).get("sha256")
    if wanted is not None and image.digest != f"sha256:{wanted}":
        raise BootimgError(
            "build-archive-changed",
            f"the archive of build {build.id} holds another image than the build was made from",
            context=[f"meta.json says sha256:{wanted}", f"the archive has {image.digest}"],
            hint="put the right archive back, or build from the layer's reference",
            exit_code=ExitCode.USAGE,
        )

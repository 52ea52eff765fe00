"""More artifacts of an existing build: the layer comes from its archive, the parameters from its journal."""

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
class PurityCheck:
    """The purity check of a build's last run; None means unknown."""

    purity: Purity | None = None
    allow: tuple[str, ...] | None = None


def run_parameters(
    request: Request,
    layer: Layer,
    impure: Sequence[Finding] = (),
    before: Mapping[str, object] = MappingProxyType({}),
) -> Mapping[str, object]:
    """Parameters that `--from` needs later, to make the same base disk from the archive and to compress.

    They include the findings about content of OpenShift in the layer.  If this run did not check for it, they
    are those of `before`, the last run's record.
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


def purity_check(build: Build) -> PurityCheck:
    """The purity check of a build's last run; coreos-assembler makes none."""
    before = Journal(build.path / NAME).last(RUN, "begun")
    purity, allow = before.get("purity"), before.get("allow")
    return PurityCheck(
        purity=next((each for each in Purity if each == purity), None),
        allow=tuple(map(str, allow)) if isinstance(allow, list) else None,
    )


def compressors_of(build: Build) -> Compressors:
    """The compressors that the layer of a build sets; none if coreos-assembler made the build."""
    before = Journal(build.path / NAME).last(RUN, "begun")
    return Compressors(before.get("compressor"), before.get("platform-compressor") or {})


def rebuild_request(build: Build, request: Request) -> Request:
    """The request for more artifacts of `build`, which bootimg or coreos-assembler made.

    What the request leaves open is as in the build's last run.  A build that skips disk images gets none:
    `disk-images-skipped`.
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
    """The request for only the targets that failed in the build's last run.

    A target that is skipped now is not made, even if it failed then.
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
    """Refuse an archive with another image than the build was made from: `build-archive-changed`."""
    expected = build.images.get(MANIFEST_KEY, {}).get("sha256")
    if expected is not None and image.digest != f"sha256:{expected}":
        raise BootimgError(
            "build-archive-changed",
            f"the archive of build {build.id} holds another image than the build was made from",
            context=[f"meta.json says sha256:{expected}", f"the archive has {image.digest}"],
            hint="put the right archive back, or build from the layer's reference",
            exit_code=ExitCode.USAGE,
        )

"""bootimg turns a bootable OCI container image (the CoreOS layer) into boot images.

What is exported here is the Python API (docs/python-api.md).  It is loaded when it is first used, so that
`import bootimg` costs nothing.
"""

# Type checkers take it for true; typing itself is slow to import.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from bootimg.api.building import build, build_arches, plan, plan_arches
    from bootimg.api.keywords import BuildKeywords
    from bootimg.api.looking import Verification, inspect, verify
    from bootimg.api.requesting import request
    from bootimg.arch import Arch
    from bootimg.checks.findings import Finding
    from bootimg.checks.purity import Purity
    from bootimg.checks.rules import Rule, Severity
    from bootimg.disk.layer_deploy import DeployWay
    from bootimg.errors import BootimgError, ExitCode
    from bootimg.events import Event, Events, Message, StepFinished, StepProgress, StepStarted
    from bootimg.formats import Compressor
    from bootimg.layer.fetching.fetch import RegistryOptions
    from bootimg.orchestrator.manyarches.results import ArchResult, ArchResults
    from bootimg.orchestrator.plan import Plan, PlannedArtifact, PlannedStep
    from bootimg.orchestrator.request import Artifact, Builder, Outcome, Request
    from bootimg.untrusted.limits import Limits

__all__ = [
    "Arch",
    "ArchResult",
    "ArchResults",
    "Artifact",
    "BootimgError",
    "BuildKeywords",
    "Builder",
    "Compressor",
    "DeployWay",
    "Event",
    "Events",
    "ExitCode",
    "Finding",
    "Limits",
    "Message",
    "Outcome",
    "Plan",
    "PlannedArtifact",
    "PlannedStep",
    "Purity",
    "RegistryOptions",
    "Request",
    "Rule",
    "Severity",
    "StepFinished",
    "StepProgress",
    "StepStarted",
    "Verification",
    "build",
    "build_arches",
    "inspect",
    "plan",
    "plan_arches",
    "request",
    "verify",
]

_MODULES = {
    "bootimg.api.building": ("build", "build_arches", "plan", "plan_arches"),
    "bootimg.api.keywords": ("BuildKeywords",),
    "bootimg.api.looking": ("Verification", "inspect", "verify"),
    "bootimg.api.requesting": ("request",),
    "bootimg.arch": ("Arch",),
    "bootimg.checks.findings": ("Finding",),
    "bootimg.checks.purity": ("Purity",),
    "bootimg.checks.rules": ("Rule", "Severity"),
    "bootimg.disk.layer_deploy": ("DeployWay",),
    "bootimg.errors": ("BootimgError", "ExitCode"),
    "bootimg.events": ("Event", "Events", "Message", "StepFinished", "StepProgress", "StepStarted"),
    "bootimg.formats": ("Compressor",),
    "bootimg.layer.fetching.fetch": ("RegistryOptions",),
    "bootimg.orchestrator.manyarches.results": ("ArchResult", "ArchResults"),
    "bootimg.orchestrator.plan": ("Plan", "PlannedArtifact", "PlannedStep"),
    "bootimg.orchestrator.request": ("Artifact", "Builder", "Outcome", "Request"),
    "bootimg.untrusted.limits": ("Limits",),
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names}


if not TYPE_CHECKING:
    # Hidden from type checkers, which would then accept every name.
    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""`bootimg doctor`: what this machine has and lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from bootimg.arch import Arch, ArchChoice
from bootimg.cli.options.archoptions import arches_option
from bootimg.cli.options.common import accel_option, common, limit_option, registry_options
from bootimg.cli.output.session import App
from bootimg.doctor.finding import MachineFinding, Status, Use
from bootimg.doctor.requirements import examine, lacking
from bootimg.errors import ExitCode
from bootimg.hostpackages import Packages, distribution_family
from bootimg.layer.fetching.fetch import RegistryOptions
from bootimg.untrusted.limits import Limits

MARKS = {Status.OK: "✔", Status.MISSING: "✘", Status.TOO_OLD: "✘", Status.FAULT: "✘"}
EPILOG = """\
\b
Examples:
  bootimg doctor
  bootimg doctor --arch all
  bootimg doctor --json --layer quay.io/fedora/fedora-coreos:stable
"""


@click.command("doctor", epilog=EPILOG)
@common
@click.option("--layer", metavar="IMAGE",
              help="Also make filesystems with this layer's tools and mount them.")  # fmt: skip
@arches_option
@accel_option
@registry_options
@limit_option
def command(
    *, app: App, arch: ArchChoice, layer: str | None, registry: RegistryOptions, limits: Limits
) -> None:
    """Show what this machine has, what it lacks, and how to install that.

    Exits with 3 if something that builds need is missing or too old.
    """
    arches = arch.named or tuple(Arch)
    findings = list(examine(app.cache, app.events, app.accel, arches))
    missing = lacking(findings)
    if layer and not missing:
        from bootimg.doctor.deepcheck import mounts_of_layer

        findings.append(mounts_of_layer(layer, app.cache, app.events, app.accel, registry, limits))
        missing = lacking(findings)
    document = {"ok": not missing, "findings": [finding.as_dict() for finding in findings]}
    app.result(document, "\n".join(report(findings, distribution_family(), arches)))
    if missing:
        click.get_current_context().exit(ExitCode.ENVIRONMENT)


def report(findings: Sequence[MachineFinding], family: str | None, arches: Sequence[Arch]) -> Iterator[str]:
    """The findings for images of `arches` as lines for people, and commands that install what is missing."""
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark = MARKS[finding.status] if finding.needed or finding.good else "-"
        yield f"{mark} {finding.name:<{width}}  {_state(finding)}"
    missing = lacking(findings)
    spare = [finding for finding in findings if not finding.good and not finding.needed]
    appliance = [finding for finding in spare if finding.use is Use.APPLIANCE]
    others = [finding for finding in spare if finding.use is not Use.APPLIANCE]
    yield ""
    yield f"{len(missing)} of what builds need is missing" if missing else "all that builds need is there"
    if appliance:
        yield _without_appliance(arches)
    for title, wrong in (("to build", missing), ("for the appliance", appliance), ("for the rest", others)):
        packages = [finding.packages for finding in wrong if finding.packages]
        yield from (f"{title}: {line}" for line in _commands(packages, family))


def _without_appliance(arches: Sequence[Arch]) -> str:
    if Arch.of_machine() not in arches:
        return f"disks for {' and '.join(arches)} are made without the appliance on this machine"
    return "builds work as long as the cache has the layer's bootloader; another one needs the appliance"


def _state(finding: MachineFinding) -> str:
    words = [finding.version or "", finding.detail]
    if finding.status is Status.MISSING:
        words = ["missing", f"({finding.purpose})", finding.detail]
    if finding.status is Status.TOO_OLD and finding.version:
        words = [f"{finding.version} is too old, {finding.minimum} is needed", finding.detail]
    return "  ".join(word for word in words if word)


def _commands(packages: Sequence[Packages], family: str | None) -> Iterator[str]:
    if not packages:
        return
    for tool in ("apt", "dnf"):
        if family in (None, tool):
            names = dict.fromkeys(" ".join(getattr(each, tool) for each in packages).split())
            if names:
                yield f"{tool} install {' '.join(names)}"

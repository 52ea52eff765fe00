"""Rules for a build that is made again: what its record must say, and that its images are equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version

from bootimg.builds.find import Build
from bootimg.builds.made import Made
from bootimg.builds.record import RECORD
from bootimg.checks.findings import Finding, errors, finding
from bootimg.checks.rules import Rule
from bootimg.targets import LAYER_KEY

_NEEDED = frozenset(
    {Rule.META_SCHEMA, Rule.BUILD_ID, Rule.ARTIFACT_PATH, Rule.RECORD_UNREADABLE, Rule.ARCHIVE_IMAGE}
)
"""The rules that a build must keep to be made again."""
_REPRODUCIBLE = "native"
"""The way to deploy whose disks have the same bytes again."""


def build_obstacle(build: Build, findings: Sequence[Finding]) -> Finding | None:
    """Why nothing of a build with these findings can be made again; None if something can."""
    archive = f"artifact {LAYER_KEY}"
    broken = [each for each in errors(findings) if each.rule in _NEEDED or each.where == archive]
    if broken:
        reason = f"it breaks the rule {broken[0].rule.value}"
    elif LAYER_KEY not in build.images or not (build.path / str(build.images[LAYER_KEY]["path"])).is_file():
        reason = "its folder has no archive of the layer"
    else:
        return None
    return finding(Rule.REBUILD_IMPOSSIBLE, f"artifact {LAYER_KEY}", build.id, f"the build: {reason}")


def record_findings(key: str, made: Mapping[str, Made], origin: Made | None) -> list[Finding]:
    """Findings about an artifact's record; `origin` is the record of the disk that it was made from."""
    where = f"{RECORD}, made, {key}"
    if origin is None:
        message = "it is not known how it was made"
        return [finding(Rule.REBUILD_IMPOSSIBLE, where, "no record", message)]
    if origin.deploy != _REPRODUCIBLE:
        message = "only what bootimg laid out itself, without a virtual machine, has the same bytes again"
        return [finding(Rule.REBUILD_IMPOSSIBLE, where, f"deploy: {origin.deploy}", message)]
    here = version("bootimg")
    message = f"this is bootimg {here}: its bytes may differ, and the aleph's always do"
    others = sorted({made[key].bootimg, origin.bootimg} - {here})
    return [finding(Rule.REBUILD_VERSION, where, f"bootimg: {each}", message) for each in others]


def other_programs(before: Made, now: Made) -> str | None:
    """Which programs of others the artifact was made with that this machine or layer has otherwise."""
    differ = [
        f"made with {name} {before.programs[name]}, now with {now.programs.get(name, 'another program')}"
        for name in before.programs
        if before.programs[name] != now.programs.get(name)
    ]
    return "; ".join(differ) or None


def difference_finding(key: str, compared: str, difference: str) -> Finding:
    """The finding about an artifact that is not equal when it is made again."""
    return finding(Rule.REBUILD_DIFFERS, f"artifact {key}", compared, difference)

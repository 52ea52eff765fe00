"""The platforms and targets that are named for all architectures, for each the names that it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bootimg.arch import ALL, Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.orchestrator.refusals import unmade
from bootimg.orchestrator.selection import named
from bootimg.targets import DeclaredTarget, every_target


@dataclass(frozen=True, slots=True)
class NamesOf:
    """The names that an architecture has, and the reasons why it lacks the others."""

    there: tuple[str, ...]
    lacking: Mapping[str, str] = field(default_factory=dict)


def names_for(names: Iterable[str], arches: Sequence[Arch]) -> Mapping[Arch, NamesOf]:
    """What each of the architectures can make of the names; `all` stays for every one.

    Raises `platform-unknown`, and the error of a name that none of them can make.
    """
    reasons = {name: _reasons(name, arches) for name in names}
    return {
        arch: NamesOf(
            tuple(name for name, found in reasons.items() if arch not in found),
            {name: found[arch] for name, found in reasons.items() if arch in found},
        )
        for arch in arches
    }


def _reasons(name: str, arches: Sequence[Arch]) -> Mapping[Arch, str]:
    """Why architectures cannot make what the name means; refuses a name that none can make."""
    target = next((each for each in every_target() if each.on_request and each.name == name), None)
    if name == ALL or target is None:
        # It refuses a name that is unknown.
        named((name,), arches[0])
        return {}
    found = {arch: reason for arch in arches if (reason := _reason(target, arch)) is not None}
    if len(found) == len(arches):
        raise _nowhere(target, arches)
    return found


def _reason(target: DeclaredTarget, arch: Arch) -> str | None:
    if arch not in target.arches:
        return f"it exists for {_exists_for(target)}"
    return target.obstacle


def _exists_for(target: DeclaredTarget) -> str:
    return ", ".join(sorted(target.arches))


def _nowhere(target: DeclaredTarget, arches: Sequence[Arch]) -> BootimgError:
    if target.obstacle is not None and not target.arches.isdisjoint(arches):
        return unmade(target, target.obstacle)
    return BootimgError(
        "platform-arch-unsupported",
        f"{target.name} images do not exist for {' or '.join(arches)}",
        hint=f"{target.name} exists for {_exists_for(target)}",
        exit_code=ExitCode.USAGE,
    )

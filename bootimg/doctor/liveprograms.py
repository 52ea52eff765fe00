"""Whether this machine's programs make the root file system of live media; else the layer's do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bootimg.arch import Arch
from bootimg.doctor.finding import MachineFinding, Status, Use
from bootimg.live.fsoptions import FsType
from bootimg.live.programs.known import MAKERS, Maker, dotted, installed

_ELSE = "builds run the layer's own in the appliance, if it is new enough"
_FOREIGN = "live media for {} need it, because the layer's own does not run here"


def live_programs(arches: Sequence[Arch]) -> Iterator[MachineFinding]:
    """A finding for each file system of layers of these architectures."""
    foreign = _FOREIGN.format(" and ".join(arches))
    otherwise = _ELSE if Arch.of_machine() in arches else foreign
    for fstype, maker in MAKERS.items():
        yield _finding(fstype, maker, otherwise)


def _finding(fstype: FsType, maker: Maker, otherwise: str) -> MachineFinding:
    here = installed(maker)
    if here is None:
        status, detail = Status.MISSING, f"{otherwise}: {maker.wanted} is needed"
    elif here.version < maker.minimum:
        status, detail = Status.TOO_OLD, f"{here.path}: {otherwise}"
    else:
        status, detail = Status.OK, str(here.path)
    return MachineFinding(
        name=f"live-{fstype}",
        status=status,
        purpose=f"{maker.name} makes the {fstype} of live media",
        use=Use.OTHER,
        needed=False,
        version=(dotted(here.version) or None) if here else None,
        minimum=maker.wanted,
        detail=detail,
        packages=maker.packages,
    )

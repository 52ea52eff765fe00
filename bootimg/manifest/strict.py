"""Reading a stage so that nothing of it is overlooked: what is not taken is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from bootimg.errors import BootimgError, ExitCode
from bootimg.kernelarg import FIRSTBOOT, KernelArgument, parse_arguments
from bootimg.manifest.model import Pipeline, Stage
from bootimg.untrusted.node import Node, StrictFields

Value = TypeVar("Value")
_PREFIX = "org.osbuild."


def unsupported(where: str, what: str) -> BootimgError:
    """The error for a part of a manifest that this builder does not realise."""
    return _refuse(f"{where}: {what}")


def _refuse(why: str) -> BootimgError:
    return BootimgError(
        "manifest-stage-unsupported",
        "bootimg's own builder does not do what the manifest asks for",
        context=[why],
        hint="remove it from the manifest, or build with osbuild itself",
        exit_code=ExitCode.USAGE,
    )


class Taken(StrictFields):
    """A JSON object whose keys are taken one by one."""

    @classmethod
    def of(cls, where: str, values: object) -> Taken:
        """The object that stands at a place of the manifest."""
        return cls(Node(values, _refuse, where))

    @property
    def where(self) -> str:
        """Its place in the manifest, for errors."""
        return self.node.path

    def holds(self, key: str, kind: type) -> bool:
        """Whether a key is there with a value of exactly that type."""
        return type(self.values.get(key)) is kind

    def arguments(self, key: str) -> tuple[KernelArgument, ...]:
        """The kernel arguments of a list; the variable of the first boot may be among them."""
        return parse_arguments(self.each(key, str), f"{self.where}: {key}", variables=(FIRSTBOOT,))

    def only(self, key: str) -> Taken:
        """The object of a list that must have exactly one."""
        found = self.objects(key)
        if len(found) != 1:
            raise unsupported(self.where, f"{len(found)} {key}")
        return found[0]


class TakenStage:
    """The four parts of a stage, each to be taken whole; its devices have that sector size in bytes."""

    def __init__(self, pipeline: str, stage: Stage, sector_size: int) -> None:
        self.where = f"{pipeline}: {stage.type}"
        if not stage.type.startswith(_PREFIX):
            raise unsupported(self.where, "the stage")
        self.type = stage.type.removeprefix(_PREFIX)
        self.sector_size = sector_size
        self.options = Taken.of(f"{self.where} options", stage.options)
        self.devices = Taken.of(f"{self.where} devices", stage.devices)
        self.inputs = Taken.of(f"{self.where} inputs", stage.inputs)
        self.mounts = [Taken.of(f"{self.where} mounts", mount) for mount in stage.mounts]

    def finish(self) -> None:
        """Refuse whatever was not taken."""
        for part in (self.options, self.devices, self.inputs, *self.mounts):
            part.finish()


def check_build(pipeline: Pipeline, build: str | None) -> None:
    """Refuse another build root than this builder's stages run in, and a source epoch."""
    if pipeline.build != build or pipeline.source_epoch is not None:
        raise unsupported(
            pipeline.name, f"build: {pipeline.build!r}, source-epoch: {pipeline.source_epoch!r}"
        )


def check_order(pipeline: Pipeline, order: Sequence[str]) -> None:
    """Refuse stages that are not in this builder's order (some may be absent), and unknown ones."""
    left = iter(order)
    for stage in pipeline.stages:
        # Membership consumes the iterator up to the stage found.
        if stage.type.removeprefix(_PREFIX) not in left:
            raise unsupported(f"{pipeline.name}: {stage.type}", "the stage, or its place or number")


@contextmanager
def taking(pipeline: str, stage: Stage, sector_size: int = 512) -> Iterator[TakenStage]:
    """The stage to take apart; what the body leaves of it is refused."""
    taken = TakenStage(pipeline, stage, sector_size)
    yield taken
    taken.finish()

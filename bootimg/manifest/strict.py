"""Reading a stage so that nothing of it is overlooked: what is not taken is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from bootimg.errors import BootimgError, ExitCode
from bootimg.kernelarg import FIRSTBOOT, KernelArgument, parse_arguments
from bootimg.manifest.model import Pipeline, Stage

Value = TypeVar("Value")
_PREFIX = "org.osbuild."


def unsupported(where: str, what: str) -> BootimgError:
    """The error for a part of a manifest that this builder does not realise."""
    return BootimgError(
        "manifest-stage-unsupported",
        "the guestfs builder does not do what the manifest asks for",
        context=[f"{where}: {what}"],
        hint="remove it from the manifest, or build with osbuild itself",
        exit_code=ExitCode.USAGE,
    )


class Taken:
    """A JSON object whose keys are taken one by one."""

    def __init__(self, where: str, values: Mapping[str, Any]) -> None:
        if not isinstance(values, Mapping):
            raise unsupported(where, f"{values!r} is not an object")
        self.where = where
        self._left = dict(values)

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._left))

    def required(self, key: str, kind: type[Value]) -> Value:
        """The value of a key that must be there, of exactly that type."""
        if key not in self._left:
            raise unsupported(self.where, f"{key} is missing")
        value = self._left.pop(key)
        # A bool is an int for Python, but not for a manifest.
        if type(value) is not kind:
            raise unsupported(self.where, f"{key}: {value!r}")
        return value

    def take(self, key: str, kind: type[Value]) -> Value | None:
        """The same for a key that may be absent."""
        return self.required(key, kind) if key in self._left else None

    def holds(self, key: str, kind: type) -> bool:
        """Whether a key is there with a value of exactly that type."""
        return type(self._left.get(key)) is kind

    def each(self, key: str, kind: type[Value]) -> tuple[Value, ...]:
        """The items of a list, all of that type; none where the key is absent."""
        items: list[Any] = self.take(key, list) or []
        if any(type(item) is not kind for item in items):
            raise unsupported(self.where, f"{key}: {items!r}")
        return tuple(items)

    def arguments(self, key: str) -> tuple[KernelArgument, ...]:
        """The kernel arguments of a list; the variable of the first boot may be among them."""
        return parse_arguments(self.each(key, str), f"{self.where}: {key}", variables=(FIRSTBOOT,))

    def objects(self, key: str) -> list[Taken]:
        """The objects of a list, each to be taken and finished."""
        items = self.each(key, dict)
        return [Taken(f"{self.where}.{key}[{index}]", item) for index, item in enumerate(items)]

    def only(self, key: str) -> Taken:
        """The object of a list that must have exactly one."""
        found = self.objects(key)
        if len(found) != 1:
            raise unsupported(self.where, f"{len(found)} {key}")
        return found[0]

    def nested(self, key: str) -> Taken:
        """The object under a key; empty where it is absent."""
        return Taken(f"{self.where}.{key}", self._left.pop(key, {}))

    def expect(self, key: str, *allowed: object) -> None:
        """Take a key that has only these values for this builder."""
        value = self._left.pop(key, None)
        # True equals 1 for Python, but not for a manifest.
        if not any(value == each and type(value) is type(each) for each in allowed):
            raise unsupported(self.where, f"{key}: {value!r}")

    def finish(self) -> None:
        """Refuse whatever was not taken."""
        if self._left:
            raise unsupported(self.where, ", ".join(f"{key}: {value!r}" for key, value in self._left.items()))


class TakenStage:
    """The four parts of a stage, each to be taken whole; its devices have that sector size in bytes."""

    def __init__(self, pipeline: str, stage: Stage, sector_size: int) -> None:
        self.where = f"{pipeline}: {stage.type}"
        if not stage.type.startswith(_PREFIX):
            raise unsupported(self.where, "the stage")
        self.type = stage.type.removeprefix(_PREFIX)
        self.sector_size = sector_size
        self.options = Taken(f"{self.where} options", stage.options)
        self.devices = Taken(f"{self.where} devices", stage.devices)
        self.inputs = Taken(f"{self.where} inputs", stage.inputs)
        self.mounts = [Taken(f"{self.where} mounts", mount) for mount in stage.mounts]

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

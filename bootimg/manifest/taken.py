"""Reading a stage so that nothing of it is overlooked: what is not taken is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bootimg.errors import BootimgError, ExitCode
from bootimg.manifest.model import Stage


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

    def take(self, key: str, default: Any = None) -> Any:  # noqa: ANN401
        """The value of a key, or the default where it is absent."""
        return self._left.pop(key, default)

    def required(self, key: str) -> Any:  # noqa: ANN401
        """The value of a key that must be there."""
        if key not in self._left:
            raise unsupported(self.where, f"{key} is missing")
        return self._left.pop(key)

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
    """The four parts of a stage, each to be taken whole."""

    def __init__(self, pipeline: str, stage: Stage) -> None:
        self.type = stage.type.removeprefix("org.osbuild.")
        self.where = f"{pipeline}: {stage.type}"
        self.options = Taken(f"{self.where} options", stage.options)
        self.devices = Taken(f"{self.where} devices", stage.devices)
        self.inputs = Taken(f"{self.where} inputs", stage.inputs)
        self.mounts = [Taken(f"{self.where} mounts", mount) for mount in stage.mounts]

    def finish(self) -> None:
        """Refuse whatever was not taken."""
        for part in (self.options, self.devices, self.inputs, *self.mounts):
            part.finish()


@contextmanager
def taking(pipeline: str, stage: Stage) -> Iterator[TakenStage]:
    """The stage to take apart; what the body leaves of it is refused."""
    taken = TakenStage(pipeline, stage)
    yield taken
    taken.finish()

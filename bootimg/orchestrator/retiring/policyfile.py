"""The retention policy: a YAML file with a block for each stream, as coreos-assembler's gc-policy.yaml.

docs/retention.md describes it.  `keep-last` and `barriers` are bootimg's own keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path

from bootimg.errors import BootimgError, ExitCode
from bootimg.untrusted.files import read_start
from bootimg.untrusted.node import Fields, Node
from bootimg.untrusted.yamlfile import LIMIT, parse_yaml

_AGE = re.compile(r"([0-9]{1,5})([dwmy])")
_DAY = 86_400
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
_IMAGES = ("images", "images-keep")
_MOST = 100_000


class Action(StrEnum):
    """What a policy removes of a build; the names are those in the policy and in builds.json."""

    UPLOADS = "cloud-uploads"
    """The images of all platforms in their clouds and registries."""
    CONTAINERS = "containers"
    """The containers of the layer and of platforms, and the disks in registries."""
    BUILD = "build"
    """The build itself: its folder and its entry in builds.json."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPolicy:
    """The policy of one stream: the age in seconds from which an action is due, and what stays.

    `images` says that the file also has a rule for artifacts in the tree, which is none of `retire`'s.
    """

    ages: Mapping[Action, int] = field(default_factory=dict)
    keep_last: int = 0
    barriers: frozenset[str] = frozenset()
    images: bool = False


def read_policy(path: Path) -> Mapping[str, StreamPolicy]:
    """The policies in a file by stream; `retention-policy-malformed`."""
    refuse = partial(_malformed, str(path))
    try:
        data = read_start(path, LIMIT, any_kind=True)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "the file name is invalid"
        raise refuse(f"{why}") from None
    return parse_policy(data, str(path))


def parse_policy(data: bytes, name: str) -> Mapping[str, StreamPolicy]:
    """The policies in the bytes of the file `name`."""
    fields = parse_yaml(data, partial(_malformed, name), numbers=True)
    return {stream: _stream(node.fields()) for stream, node in fields.node.members().items()}


def _stream(fields: Fields) -> StreamPolicy:
    ages = {each: _age(fields.at(each)) for each in Action if not fields.is_absent(each)}
    found = StreamPolicy(
        ages=ages,
        keep_last=fields.number("keep-last", 0, _MOST) or 0,
        barriers=frozenset(fields.each("barriers", str)),
        images=any(not fields.is_absent(each) for each in _IMAGES),
    )
    if not fields.is_absent("images"):
        _age(fields.at("images"))
    fields.each("images-keep", str)
    fields.finish()
    _check(fields, ages)
    return found


def _age(node: Node) -> int:
    match = _AGE.fullmatch(node.of(str))
    if match is None:
        raise node.error(f"is {node.value!r:.40}, not an age such as 90d, 8w, 6m or 2y")
    return int(match[1]) * _DAYS[match[2]] * _DAY


def _check(fields: Fields, ages: Mapping[Action, int]) -> None:
    """A build goes last: its meta.json says which images there are to delete."""
    build = ages.get(Action.BUILD)
    if build is None:
        return
    if Action.UPLOADS not in ages:
        raise fields.at(Action.BUILD).error(f"needs {Action.UPLOADS} beside it, which goes first")
    for action in (Action.UPLOADS, Action.CONTAINERS):
        if ages.get(action, 0) > build:
            raise fields.at(action).error(f"is a longer time than that of {Action.BUILD}, which goes last")


def _malformed(name: str, why: str) -> BootimgError:
    return BootimgError(
        "retention-policy-malformed",
        f"the retention policy {name} cannot be used: {why}"[:500],
        hint="docs/retention.md describes the file",
        exit_code=ExitCode.USAGE,
    )

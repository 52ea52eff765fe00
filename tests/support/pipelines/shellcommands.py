"""The calls of bootimg in a shell script, checked against its own command line without running a verb."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import click

from bootimg.cli.main import bootimg

# Writes its arguments and its environment, each ended by NUL, and prints an empty result.
_STUB = """\
#!/bin/sh
calls=$CALLS
number=$(($(ls "$calls" | wc -l) / 2))
printf '%s\\0' "$@" > "$calls/$number.words"
env -0 > "$calls/$number.variables"
echo '{}'
"""


@dataclass(frozen=True)
class Call:
    """One call: the words after `bootimg`, and the variables that it got."""

    words: tuple[str, ...]
    variables: Mapping[str, str]

    @property
    def verb(self) -> str:
        """The names of the group and of the verb."""
        return " ".join(each for each in self.words[:2] if each.isalpha())


def calls_of(script: str, variables: Mapping[str, str], folder: Path) -> list[Call]:
    """What a script calls; it runs in a shell, with a program for bootimg that only writes down its words."""
    calls, programs = folder / "calls", folder / "programs"
    for each in (calls, programs):
        each.mkdir(parents=True)
    stub = programs / "bootimg"
    stub.write_text(_STUB)
    stub.chmod(0o755)
    env = {**variables, "PATH": f"{programs}:{os.environ['PATH']}", "CALLS": str(calls)}
    done = subprocess.run(["sh", "-c", script], env=env, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, (script, done.stderr)
    return list(_calls(calls))


def _calls(folder: Path) -> Iterator[Call]:
    for words in sorted(folder.glob("*.words"), key=lambda path: int(path.stem)):
        pairs = (each.partition("=") for each in _ended(words.with_suffix(".variables")))
        yield Call(tuple(_ended(words)), {name: value for name, _, value in pairs})


def _ended(path: Path) -> list[str]:
    return path.read_bytes().decode().split("\0")[:-1]


def parse(call: Call) -> click.Context:
    """The context of the verb that a call names; an error of click if bootimg refuses the words."""
    with mock.patch.dict(os.environ, call.variables, clear=True):
        context = bootimg.make_context("bootimg", list(call.words))
        while isinstance(context.command, click.Group):
            # click keeps the name of the verb apart, and has no public name for it before 9.0.
            words = [*context._protected_args, *context.args]
            name, command, rest = context.command.resolve_command(context, words)
            assert command is not None
            context = command.make_context(name, rest, parent=context)
        return context


def known_variables(context: click.Context) -> set[str]:
    """The environment variables that the verb's options have."""
    found = (each.envvar for each in context.command.params if each.envvar)
    return {name for each in found for name in ([each] if isinstance(each, str) else each)}

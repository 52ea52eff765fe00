"""A model of what GRUB makes of the options of a boot loader entry, and the kernel of what GRUB gives it.

`tests/integration/layouts/test_kernel_arguments.py` holds GRUB itself and a real kernel
against it.  Braces are modelled as the error that they mostly are; a whole block of them at the end GRUB
passes on as a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_QUOTED = re.compile(r"""\\(.)|'([^']*)'|"((?:[^"\\]|\\.)*)"|\$(\w+)|([^'"\\$])""")
_KEYWORDS = ("[[", "]]")


def expand(options: str, variables: Mapping[str, str]) -> str:
    """The options with `$name` replaced, as the command blscfg does it.

    The blank behind a variable belongs to it, and is gone with one that is not set.  What stands between
    two variables, or behind the last, is dropped where it is a single character.  All is lost where the
    options begin with a variable that is not set and another follows at once.
    """
    first, *rest = re.split(r"\$(\w*)", options)
    found = first if len(first) > 1 else ""
    for name, text in zip(rest[::2], rest[1::2], strict=True):
        if not found and name not in variables and text == "":
            return ""
        found += f"{variables[name]} " if name in variables else ""
        text = text.removeprefix(" ")
        found += text if len(text) > 1 else ""
    return found


def words(line: str, variables: Mapping[str, str]) -> list[str] | None:
    """The words of the first command of a line; None where GRUB refuses the line."""
    found = []
    while line := line.lstrip(" \t"):
        if line[0] in "#;":
            break
        word, line = _word(line, variables)
        if word is None or (line and line[0] in "{}|&<>"):
            return None
        found.append(word)
    return found


def _word(line: str, variables: Mapping[str, str]) -> tuple[str | None, str]:
    word, start = "", line
    while line and line[0] not in " \t{}|&;<>":
        match = _QUOTED.match(line)
        if match is None:
            return None, line
        escaped, single, double, name, plain = match.groups()
        if double is not None:
            double = re.sub(
                r'\\([$\\"])', r"\1", re.sub(r"\$(\w+)", lambda m: variables.get(m[1], ""), double)
            )
        value = variables.get(name, "") if name else None
        word += next(each for each in (escaped, single, double, value, plain) if each is not None)
        line = line[match.end() :]
    raw = start[: len(start) - len(line)]
    return (None if not raw or raw in _KEYWORDS else word), line


def command_line(line: str, variables: Mapping[str, str] | None = None) -> str | None:
    """What GRUB's command linux passes to the kernel for these words; None where it is not run."""
    found = words(line, variables or {})
    return None if found is None else " ".join(map(_passed, found))


def _passed(word: str) -> str:
    escaped = re.sub(r"""([\\'"])""", r"\\\1", word)
    return f'"{escaped}"' if " " in word else escaped


def parameters(line: str) -> list[tuple[str, str | None]]:
    """The names and values that the kernel takes of its command line (lib/cmdline.c)."""
    return list(_parameters(line.encode().decode("latin-1")))


def _parameters(line: str) -> Iterator[tuple[str, str | None]]:
    blanks = " \t\n\r\v\f\xa0"
    while line := line.lstrip(blanks):
        inside, end = False, 0
        while end < len(line) and (inside or line[end] not in blanks):
            inside ^= line[end] == '"'
            end += 1
        word, line = line[:end], line[end:]
        quoted = word.startswith('"')
        if quoted:
            word = word[1:].removesuffix('"')
        name, equals, value = word.partition("=")
        if not quoted and value.startswith('"'):
            value = value[1:].removesuffix('"')
        yield name, value if equals else None

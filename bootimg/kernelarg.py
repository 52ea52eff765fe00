"""Kernel arguments that reach the kernel as they are written.

GRUB runs the options of a boot loader entry as a line of its script language (GRUB's manual, "Shell-like
scripting"), after it has replaced `$name`: it eats quotes and backslashes, a semicolon ends the command,
and what a kernel has no room for is dropped without a word.  It then puts each word with a space in it
into double quotes.  The kernel splits at white space outside double quotes (lib/cmdline.c), and takes the
byte 0xA0 for white space.  An argument is accepted if both give the kernel the same name and value that a
boot loader without a language of its own, such as zipl, would.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Self

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import shown

FIRSTBOOT = "$ignition_firstboot"
"""The variable that GRUB replaces, on a first boot, by the arguments that run Ignition."""
_BLANKS = " \t"
_WORD = re.compile(r'(?:[^" \t]|"[^"]*"|"[^"]*$)+')
# A name begins so that it is no comment, no pattern of file names and no keyword of GRUB's.
_NAME = re.compile(r"[A-Za-z0-9_.-]")
_QUOTED = re.compile(r'"[^"]+"|[^"=]+="[^"]*"')
_EATEN = "$\\'"
_COMMANDS = "{}|&;<>"
_LONGEST = min(arch.row.command_line_size for arch in Arch) - 1
# GRUB's BOOT_IMAGE=, ostree=, and what the first boot adds: root=, boot=, rootflags= and its network.
_RESERVE = 512


class KernelArgument(str):
    """One argument, `name` or `name=value`; white space is inside double quotes."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str, where: str) -> Self:
        """Take one argument; `kernel-argument-invalid` says what is wrong with it and `where` it is."""
        if (reason := fault(text)) is not None:
            raise _invalid(f"{where}: {shown(text)}: {reason}")
        return cls(text)


def parse_arguments(
    texts: Iterable[str], where: str, *, variables: Iterable[str] = ()
) -> tuple[KernelArgument, ...]:
    """The arguments of a list whose items may hold several, as every reader of such lists joins them.

    The words in `variables` are accepted although GRUB replaces them.
    """
    found: list[KernelArgument] = []
    for text in texts:
        # An item that is empty is a mistake; that it does no harm is no reason to hide it.
        for word in split(text) or [text]:
            found.append(KernelArgument(word) if word in variables else KernelArgument.parse(word, where))
    return tuple(found)


def split(line: str) -> list[str]:
    """The words of a command line, as the kernel splits it: at white space outside double quotes."""
    return _WORD.findall(line)


def fault(text: str) -> str | None:
    """Why the kernel would not get an argument unchanged; None if it would."""
    if not text.strip(_BLANKS):
        return "it is empty"
    if not (text.isascii() and text.isprintable()):
        return "it has a character that is not printable ASCII"
    if len(text) > _LONGEST:
        return f"it has {len(text)} characters, and a kernel's command line at most {_LONGEST}"
    for character in _EATEN:
        if character in text:
            return f"GRUB does not pass on the character {character}"
    if text.count('"') % 2:
        return "a double quote is not closed"
    if '"' in text and not _QUOTED.fullmatch(text):
        return "double quotes must be around the whole argument or its whole value"
    bare = re.sub('"[^"]*"', "", text)
    if " " in bare:
        return "it has a space outside double quotes"
    for character in _COMMANDS:
        if character in bare:
            return f"GRUB ends the command at {character}: put the value in double quotes"
    if not _NAME.match(text.lstrip('"')):
        return "it does not begin with a letter, a digit or one of _ . -"
    if text.strip('"') == "--":
        return "the kernel passes what follows -- to init and reads none of it"
    return None


def closes_quotes(command: str) -> bool:
    """Whether every quote of a line of GRUB's script language is closed, by its own rule."""
    return re.fullmatch(r"""(?:[^'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")*""", command) is not None


def line_limit(arch: Arch) -> int:
    """Bytes of the longest command line that a kernel of this architecture takes."""
    return arch.row.command_line_size - 1


def require_room(arguments: Iterable[str], arch: Arch, where: str) -> None:
    """Refuse arguments that leave no room for those added later: `kernel-arguments-too-long`."""
    length, limit = len(" ".join(arguments)), line_limit(arch) - _RESERVE
    if length > limit:
        raise BootimgError(
            "kernel-arguments-too-long",
            f"the kernel arguments have {length} characters; there is room for {limit}",
            context=[where],
            note=f"{arch} has room for {line_limit(arch)}, of which the boot itself needs up to {_RESERVE}",
            hint="remove some of them, or set in a configuration file what can be set there",
            exit_code=ExitCode.USAGE,
        )


def _invalid(what: str) -> BootimgError:
    return BootimgError(
        "kernel-argument-invalid",
        "a kernel argument would not reach the kernel as it is written",
        context=[what],
        hint="write it without $, \\ and '; spaces and ; & | < > { } only in double quotes around the value",
        exit_code=ExitCode.USAGE,
    )

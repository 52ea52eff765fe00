"""Tables for people: they line up, fit a terminal, and lose nothing in a pipe."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bootimg.cli.output.table import table

ROWS = [("FILE", "SIZE", "SHA256"), ("中文.raw", "1 GiB", "a" * 64), ("b.qcow2", "12 MiB", "b" * 64)]
PROGRAM = """
import click
from bootimg.cli.options.common import common
from bootimg.cli.output.table import table
@click.command()
@common
def verb(app):
    rows = [("error", "x" * 300, "")]
    app.result({}, "".join(table(rows, width=app.width, cut=1)))
verb()
"""
WORDS = ("error", "artifact-digest", "artifact qemu", "sha256 0123: meta.json says that it is another one")


def plain(lines: list[str]) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]


def test_columns_line_up_over_all_rows_by_what_a_terminal_shows() -> None:
    lines = plain(table(ROWS, header=True, right={1}))
    assert lines == [
        "FILE        SIZE  SHA256",
        f"中文.raw   1 GiB  {'a' * 64}",
        f"b.qcow2   12 MiB  {'b' * 64}",
    ]
    assert len({cell_len(line[: re.search(r"SHA256|a{64}|b{64}", line).start()]) for line in lines}) == 1  # type: ignore[union-attr]


def test_a_narrow_terminal_gets_the_beginning_of_a_digest() -> None:
    lines = plain(table(ROWS, header=True, right={1}, cut=2, width=40))
    assert max(map(cell_len, lines)) <= 40
    assert lines[1].endswith("aaaa…")
    assert plain(table(ROWS, header=True, right={1}, cut=2, width=200)) == plain(
        table(ROWS, header=True, right={1})
    )


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (None, [f"error  artifact-digest  artifact qemu  {WORDS[3]}"]),
        (72, [
            "error  artifact-digest  artifact qemu  sha256 0123: meta.json says that",
            "                                       it is another one",
        ]),
        (50, [
            "error  artifact-digest  artifact qemu",
            "    sha256 0123: meta.json says that it is another",
            "    one",
        ]),
    ],
)  # fmt: skip
def test_the_last_column_is_wrapped_beside_the_others_or_below_them(
    width: int | None, lines: list[str]
) -> None:
    assert plain(table([WORDS], width=width)) == lines


def test_a_word_that_fits_below_alone_is_not_broken() -> None:
    digest = "0" * 64
    lines = plain(table([("error", "artifact qemu", f"sha256 {digest}: not so")], width=80))
    assert lines == ["error  artifact qemu", f"    sha256 {digest}: not", "    so"]
    longer = plain(table([("linux", digest)], width=40))
    assert longer == [f"linux  {'0' * 33}", f"       {'0' * 31}"]


@given(
    st.lists(st.lists(st.text(max_size=30), max_size=4), max_size=5),
    st.none() | st.integers(1, 120),
    st.none() | st.just(0),
)
def test_no_cell_adds_a_line_or_commands_the_terminal(
    rows: list[list[str]], width: int | None, cut: int | None
) -> None:
    lines = plain(table(rows, width=width, cut=cut if any(rows) else None))
    assert all(line.isprintable() or line == "" for line in lines)
    if width is None:
        assert len(lines) == len(rows)


def test_nothing_is_lost_in_a_pipe_and_nothing_is_coloured(tmp_path: Path) -> None:
    line = _shown(tmp_path, terminal=False)
    assert "\x1b" not in line
    assert line.split() == ["error", "x" * 300]


def test_a_terminal_gets_colour_and_its_own_width(tmp_path: Path) -> None:
    shown = _shown(tmp_path, terminal=True)
    assert "\x1b[31merror\x1b[0m" in shown
    assert "xxx…" in shown


def _shown(folder: Path, *, terminal: bool) -> str:
    """What a verb with such a table prints, on a terminal or into a pipe."""
    program = folder / "program.py"
    program.write_text(PROGRAM)
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    argv = [sys.executable, str(program), "--cache", str(folder / "cache")]
    main, other = pty.openpty()
    try:
        done = subprocess.run(
            argv, stdout=other if terminal else subprocess.PIPE, env=env, check=True, timeout=60
        )
        return os.read(main, 4096).decode() if terminal else done.stdout.decode()
    finally:
        os.close(main)
        os.close(other)

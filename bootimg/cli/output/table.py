"""Tables for people: aligned columns, on a terminal of any width and in a pipe."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import click

from bootimg.printable import printable

_COLORS = {
    "error": "red", "failed": "red", "missing": "red", "warning": "yellow", "✔": "green", "✘": "red",
}  # fmt: skip
_GAP = 2
_NARROWEST, _MARGIN = 24, 4
"""The fewest terminal columns in which the last column is wrapped beside the others.  With fewer, or if a
word is longer, its text goes below the others, behind a margin."""
_LEAST_CUT = 13


def table(
    rows: Sequence[Sequence[str]],
    *,
    width: int | None = None,
    header: bool = False,
    right: Collection[int] = (),
    cut: int | None = None,
    indent: int = 0,
) -> list[str]:
    """The rows as lines; with `header`, the first row is bold.

    A row may be shorter than others.  Columns in `right` are aligned to the right.  `width` is the
    terminal's; with None every row is one line.  A row that does not fit is shortened in column `cut`, and
    then its last column is wrapped.  Words such as `error` and `missing` are coloured.
    """
    from rich.cells import cell_len

    count = max(map(len, rows), default=0) or 1
    cells = [[printable(cell) for cell in row] + [""] * (count - len(row)) for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    if width is not None and cut is not None:
        too_much = indent + sum(widths) + _GAP * (count - 1) - width
        widths[cut] = min(widths[cut], max(widths[cut] - too_much, _LEAST_CUT))
        for row in cells:
            row[cut] = _cut(row[cut], widths[cut])
    layout = _Layout(widths, width, right, indent)
    return [line for at, row in enumerate(cells) for line in layout.lines(row, bold=header and at == 0)]


class _Layout:
    """The positions of one table's columns."""

    def __init__(self, widths: Sequence[int], width: int | None, right: Collection[int], indent: int) -> None:
        self.widths, self.width, self.right, self.indent = widths, width, right, indent

    def lines(self, row: Sequence[str], *, bold: bool) -> Iterator[str]:
        """A row: one line, or more where its last cell is wrapped."""
        before = "".join(self._padded(at, cell, bold) + " " * _GAP for at, cell in enumerate(row[:-1]))
        first, *more = self._wrapped(row[-1], len(row) - 1)
        at = len(row) - 1
        last = self._padded(at, first, bold) if at in self.right else _styled(first, bold)
        yield f"{' ' * self.indent}{before}{last}".rstrip()
        yield from more

    def _padded(self, at: int, cell: str, bold: bool) -> str:
        from rich.cells import cell_len

        space = " " * (self.widths[at] - cell_len(cell))
        return f"{space}{_styled(cell, bold)}" if at in self.right else f"{_styled(cell, bold)}{space}"

    def _wrapped(self, cell: str, at: int) -> list[str]:
        """The last cell's lines; the first line lacks the columns to its left."""
        from rich.cells import cell_len

        start = self.indent + sum(self.widths[:at]) + _GAP * at
        if self.width is None or start + cell_len(cell) <= self.width:
            return [cell]
        beside, below = self.width - start, self.width - self.indent - _MARGIN
        longest = max(map(cell_len, cell.split(" ")))
        if beside >= _NARROWEST and not beside < longest <= below:
            first, *more = _wrap(cell, beside)
            return [first, *(f"{' ' * start}{line}" for line in more)]
        return ["", *(f"{' ' * (self.indent + _MARGIN)}{line}" for line in _wrap(cell, below))]


def _wrap(text: str, width: int) -> list[str]:
    """The text in lines of `width` columns, broken at blanks, or inside a word that is longer than a line."""
    from rich.cells import cell_len, chop_cells

    lines: list[str] = []
    for word in text.split(" "):
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines += chop_cells(word, max(width, 2)) or [""]
    return lines


def _cut(text: str, width: int) -> str:
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1).rstrip()}…"


def _styled(cell: str, bold: bool) -> str:
    if bold and cell:
        return click.style(cell, bold=True)
    return click.style(cell, fg=_COLORS[cell]) if cell in _COLORS else cell

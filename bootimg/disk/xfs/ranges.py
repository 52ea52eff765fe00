"""The parts of a file that take blocks."""

from __future__ import annotations

from bootimg.disk.filetree import Node
from bootimg.disk.xfs.layout import BLOCK


def block_ranges(node: Node) -> list[tuple[int, int]]:
    """The ranges of a file that are not holes, widened to whole blocks; the last ends with the file."""
    if node.content is None or not node.size:
        return []
    if node.data is None:
        return [(0, node.size)]
    found: list[tuple[int, int]] = []
    for offset, length in node.data:
        start = offset // BLOCK * BLOCK
        end = min(node.size, -(-(offset + length) // BLOCK) * BLOCK)
        if found and start <= sum(found[-1]):
            found[-1] = (found[-1][0], end - found[-1][0])
        elif start < end:
            found.append((start, end - start))
    return found

"""The files of a layer's template that the ISO of an architecture has, with the kernel arguments in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bootimg.kernelarg import KernelArgument
from bootimg.live.iso.bootrow import BootRow
from bootimg.live.parameterfile import parameter_tree
from bootimg.live.template import IsoTree, iso_tree


def filled_template(
    row: BootRow, template: Mapping[str, bytes], arguments: Sequence[KernelArgument], vendor: str | None
) -> IsoTree:
    """The files by their paths on the ISO; `template` are those of `read_template`.

    `vendor` is the folder of the layer's EFI programs, None for an architecture that has no UEFI.  Raises
    `live-template-invalid`, `live-arguments-too-long`.
    """
    placed = row.placed(template)
    if row.parameter_files:
        return parameter_tree(placed, arguments, row.parameter_files)
    return iso_tree(placed, arguments, vendor)

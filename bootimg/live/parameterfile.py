"""The template of the kernel arguments of a live system that has no boot menu, as on s390x: zipl.prm.

Source: the live stage of osbuild.  There the default arguments come from the boot menus, which the ISO does
not have, and zipl.prm is expected to have the same.  Here they come from zipl.prm alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bootimg.disk.zipl.kernelimage import ARGUMENTS_AT
from bootimg.errors import BootimgError, ExitCode
from bootimg.kernelarg import KernelArgument
from bootimg.live.bootways.cdboot import KARGS_FILL, KARGS_SIZE
from bootimg.live.iso.bootrow import CDBOOT_IMAGE
from bootimg.live.template import PLACEHOLDER, IsoTree, KargsAreas, invalid_template

PARAMETER_FILE = "zipl.prm"


def parameter_tree(
    templates: Mapping[str, bytes], arguments: Sequence[KernelArgument], names: Sequence[str]
) -> IsoTree:
    """The files of `read_template` with the arguments; zipl.prm is there under each of the `names`.

    The area is in cdboot.img and has the line of zipl.prm without white space around, so that a reset of the
    arguments gives the same bytes.  Raises `live-template-invalid`, `live-arguments-too-long`.
    """
    if PARAMETER_FILE not in templates:
        raise invalid_template(PARAMETER_FILE, "it is missing, and has the kernel arguments")
    if templates[PARAMETER_FILE].count(PLACEHOLDER) != 1:
        raise invalid_template(PARAMETER_FILE, f"it does not have {PLACEHOLDER.decode()} once")
    words = " ".join(arguments).encode()
    files = {path: data.replace(PLACEHOLDER, words) for path, data in templates.items()}
    text = files.pop(PARAMETER_FILE)
    line = text.decode("latin-1").strip()
    if not line.isascii() or not line.isprintable():
        raise invalid_template(PARAMETER_FILE, "it is more than one line of ASCII")
    if len(line) >= KARGS_SIZE:
        raise _too_long(len(line))
    areas = KargsAreas({CDBOOT_IMAGE: ARGUMENTS_AT}, KARGS_SIZE, line, KARGS_FILL, KARGS_FILL)
    return IsoTree(files | dict.fromkeys(names, text), areas)


def _too_long(length: int) -> BootimgError:
    return BootimgError(
        "live-arguments-too-long",
        f"the kernel arguments have {length} bytes; the area for them in {CDBOOT_IMAGE} has {KARGS_SIZE}",
        hint="remove arguments from extra-kargs or kargs.d of the layer",
        exit_code=ExitCode.USAGE,
    )

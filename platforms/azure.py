"""Microsoft Azure; it copies GRUB's output to the serial console, so GRUB gets no commands.

It accepts only disks of whole MiB.
"""

from bootimg.arch import Arch
from bootimg.platform import Console, Extension, Platform, Upload, UploadForm

from .consoles import SERIAL_LAST

PLATFORM = Platform(
    name="azure",
    summary="Microsoft Azure",
    arches=frozenset({Arch.X86_64, Arch.AARCH64}),
    disk_format="vpc",
    suffix="vhd",
    format_options={"subformat": "fixed", "force_size": True},
    size_multiple_mib=1,
    consoles={
        Arch.X86_64: Console((), SERIAL_LAST),
        Arch.AARCH64: Console((), ("console=tty0", "console=ttyAMA0,115200n8")),
    },
    uploader="azure",
    uploads=(Upload("azure", UploadForm.URL, extension=Extension.AZURE_DISK),),
)

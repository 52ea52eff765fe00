"""Amazon Web Services."""

from bootimg.arch import Arch
from bootimg.platform import Console, Extension, Platform, Upload, UploadForm

from .consoles import SERIAL, SERIAL_LAST

PLATFORM = Platform(
    name="aws",
    summary="Amazon EC2",
    arches=frozenset({Arch.X86_64, Arch.AARCH64}),
    disk_format="vmdk",
    suffix="vmdk",
    format_options={
        "subformat": "streamOptimized",
        "adapter_type": "lsilogic",
        "compat6": True,
        "compression": True,
    },
    consoles={
        Arch.X86_64: Console(SERIAL, SERIAL_LAST),
        Arch.AARCH64: Console(
            ("serial --speed=115200 efi0", "terminal_input serial_efi0", "terminal_output serial_efi0"),
            ("console=ttyS0,115200n8",),
        ),
    },
    uploader="aws",
    uploads=(
        Upload("amis", UploadForm.REGION_IMAGES, "hvm"),
        Upload("aws-winli", UploadForm.REGION_IMAGES, "hvm", Extension.AWS_WINLI),
    ),
)

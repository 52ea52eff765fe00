"""Google Compute Engine, which imports a tar with one file, disk.raw, whose size is whole GiB."""

from bootimg.arch import Arch
from bootimg.platform import Console, Packaging, Platform, Upload, UploadForm

from .consoles import SERIAL, SERIAL_LAST

PLATFORM = Platform(
    name="gcp",
    summary="Google Compute Engine",
    arches=frozenset({Arch.X86_64, Arch.AARCH64}),
    disk_format="raw",
    suffix="tar.gz",
    size_multiple_mib=1024,
    packaging=Packaging.TAR_GZ,
    skip_compression=True,
    consoles={
        Arch.X86_64: Console(SERIAL, SERIAL_LAST),
    },
    uploader="gcp",
    uploads=(Upload("gcp", UploadForm.PROJECT_IMAGE),),
)

"""KubeVirt: the disk as a container image."""

from bootimg.arch import Arch
from bootimg.platform import Console, Packaging, Platform, Upload, UploadForm

from .consoles import SCREEN_LAST, SERIAL

PLATFORM = Platform(
    name="kubevirt",
    summary="KubeVirt",
    arches=frozenset({Arch.X86_64, Arch.S390X}),
    disk_format="qcow2",
    suffix="ociarchive",
    format_options={"compat": "1.1", "compression": False},
    packaging=Packaging.OCIARCHIVE,
    skip_compression=True,
    consoles={
        Arch.X86_64: Console(SERIAL, SCREEN_LAST),
    },
    uploads=(Upload("kubevirt", UploadForm.CONTAINER),),
    # It retires the image.  `upload --registry` pushes it, in one list with other architectures'.
    uploader="registry",
)

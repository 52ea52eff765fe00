"""IBM Cloud VPC, whose boot volumes are 100 GiB large."""

from bootimg.arch import Arch
from bootimg.platform import Console, Platform, Upload, UploadForm

from .consoles import SERIAL, SERIAL_LAST

PLATFORM = Platform(
    name="ibmcloud",
    summary="IBM Cloud VPC",
    arches=frozenset({Arch.X86_64, Arch.S390X}),
    disk_format="qcow2",
    suffix="qcow2",
    format_options={"compat": "1.1", "compression": False},
    size=100,
    consoles={
        Arch.X86_64: Console(SERIAL, SERIAL_LAST),
    },
    uploader="ibmcloud",
    uploads=(Upload("ibmcloud", UploadForm.REGION_OBJECTS),),
)

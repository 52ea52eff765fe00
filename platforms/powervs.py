"""IBM Power Virtual Server: an OVA with a raw disk, which says 120 GiB."""

from bootimg.arch import Arch
from bootimg.platform import Packaging, Platform, Upload, UploadForm

PLATFORM = Platform(
    name="powervs",
    summary="IBM Power Virtual Server",
    arches=frozenset({Arch.PPC64LE}),
    disk_format="raw",
    suffix="ova.gz",
    packaging=Packaging.OVA,
    packaging_options={"ovf": "powervs"},
    skip_compression=True,
    uploads=(Upload("powervs", UploadForm.REGION_OBJECTS),),
)

"""IBM Power Virtual Server: an OVA with a raw disk, which declares 120 GiB."""

from bootimg.arch import Arch
from bootimg.platform import Packaging, Platform, PowerVolume, Upload, UploadForm

PLATFORM = Platform(
    name="powervs",
    summary="IBM Power Virtual Server",
    arches=frozenset({Arch.PPC64LE}),
    disk_format="raw",
    suffix="ova.gz",
    packaging=Packaging.OVA,
    packaging_options=PowerVolume(os_id=79, os_type="rhel", architecture="ppc64le", capacity_gib=120),
    skip_compression=True,
    uploader="powervs",
    uploads=(Upload("powervs", UploadForm.REGION_OBJECTS),),
)

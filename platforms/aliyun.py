"""Alibaba Cloud."""

from bootimg.arch import Arch
from bootimg.platform import Platform, Upload, UploadForm

PLATFORM = Platform(
    name="aliyun",
    summary="Alibaba Cloud ECS",
    arches=frozenset({Arch.X86_64}),
    disk_format="qcow2",
    suffix="qcow2",
    format_options={"compat": "1.1", "compression": False},
    uploader="aliyun",
    uploads=(Upload("aliyun", UploadForm.REGION_IMAGES),),
)

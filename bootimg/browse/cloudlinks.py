"""Links to images in the clouds' consoles.  Names are untrusted: each is checked or quoted.

Where a link has no source here, the cloud documents no address of a single image's page.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from bootimg.platform import Upload, UploadForm
from bootimg.streams.metadata.download import is_http
from bootimg.streams.metadata.release import ReleaseImage

_REGION = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,20}){1,4}")
_AWS = {
    "us-gov-": "console.amazonaws-us-gov.com",
    "cn-": "console.amazonaws.cn",
    "us-iso": None,
    "": "console.aws.amazon.com",
}
"""The host of the console by the beginning of the region's name; the isolated partitions have none here.

Source: the page of an image that the EC2 console itself opens, and AWS's pages about GovCloud and China.
"""
_ALIYUN = "https://ecs.console.aliyun.com/image/region/{region}"
"""The images of a region.  Source: Alibaba Cloud's instructions for custom images (ECS console)."""
_GCP = "https://console.cloud.google.com/compute/imagesDetail/projects/{project}/global/images/{name}"
"""The page of an image.  Source: the Google Cloud console; Google's lists of public images link to it."""
_QUAY = "https://quay.io/repository/{path}/manifest/{digest}"
"""The page of a manifest.  Source: the addresses of Quay's web pages."""


def image_link(upload: Upload, region: str, image: ReleaseImage) -> str | None:
    """The link to an image; None if there is none for this cloud, or if a name is not what it should be."""
    match upload.form:
        case UploadForm.REGION_IMAGES:
            return _in_region(upload, region, image.image or "")
        case UploadForm.PROJECT_IMAGE:
            return _filled(_GCP, project=image.project, name=image.name)
        case UploadForm.CONTAINER:
            return _container(image.digest_ref or "")
        case UploadForm.REGION_OBJECTS | UploadForm.URL:
            return image.url if image.url and is_http(image.url) else None


def _in_region(upload: Upload, region: str, image: str) -> str | None:
    # The region may be part of a host's name.
    if not _REGION.fullmatch(region) or not image:
        return None
    if upload.meta_key in ("amis", "aws-winli"):
        host = next(each for start, each in _AWS.items() if region.startswith(start))
        page = f"ec2/home?region={region}#ImageDetails:imageId={quote(image, safe='')}"
        return f"https://{region}.{host}/{page}" if host else None
    return _ALIYUN.format(region=region) if upload.meta_key == "aliyun" else None


def _container(reference: str) -> str | None:
    repository, _, digest = reference.partition("@")
    host, _, path = repository.partition("/")
    if host != "quay.io" or not path or not digest:
        return None
    parts = "/".join(quote(each, safe="") for each in path.split("/"))
    return _QUAY.format(path=parts, digest=quote(digest, safe=":"))


def _filled(template: str, **names: str | None) -> str | None:
    texts = {key: quote(each, safe="") for key, each in names.items() if each}
    return template.format(**texts) if texts.keys() == names.keys() else None

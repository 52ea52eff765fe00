"""Links to images in clouds: where they lead, and that no name in a meta.json leads elsewhere."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bootimg.browse.cloudlinks import image_link
from bootimg.platform import Upload, UploadForm, platforms
from bootimg.streams.metadata.release import ReleaseImage

UPLOADS = {each.meta_key: each for platform in platforms().values() for each in platform.uploads}
DIGEST = f"sha256:{'a' * 64}"
AMI = ReleaseImage(image="ami-0123")


@pytest.mark.parametrize(
    ("key", "region", "image", "link"),
    [
        ("amis", "eu-central-1", AMI,
         "https://eu-central-1.console.aws.amazon.com/ec2/home?region=eu-central-1#ImageDetails:imageId=ami-0123"),
        ("aws-winli", "us-gov-west-1", AMI,
         "https://us-gov-west-1.console.amazonaws-us-gov.com/ec2/home?region=us-gov-west-1"
         "#ImageDetails:imageId=ami-0123"),
        ("amis", "cn-north-1", AMI,
         "https://cn-north-1.console.amazonaws.cn/ec2/home?region=cn-north-1#ImageDetails:imageId=ami-0123"),
        ("amis", "us-iso-east-1", AMI, None),
        ("amis", "evil.com/#", AMI, None),
        ("amis", "eu-central-1", ReleaseImage(), None),
        ("aliyun", "cn-shanghai", ReleaseImage(image="m-1"), "https://ecs.console.aliyun.com/image/region/cn-shanghai"),
        ("gcp", "", ReleaseImage(project="rhcos-cloud", name="rhcos-9-6-x"),
         "https://console.cloud.google.com/compute/imagesDetail/projects/rhcos-cloud/global/images/rhcos-9-6-x"),
        ("gcp", "", ReleaseImage(project="a/../b", name="x?y"),
         "https://console.cloud.google.com/compute/imagesDetail/projects/a%2F..%2Fb/global/images/x%3Fy"),
        ("gcp", "", ReleaseImage(name="x"), None),
        ("azure", "", ReleaseImage(url="https://x.blob.core.windows.net/b/x.vhd"),
         "https://x.blob.core.windows.net/b/x.vhd"),
        ("azure", "", ReleaseImage(url="javascript:alert(1)"), None),
        ("powervs", "eu-de", ReleaseImage(object="o", bucket="b", url="https://s3.eu-de.example.com/b/o"),
         "https://s3.eu-de.example.com/b/o"),
        ("kubevirt", "", ReleaseImage(digest_ref=f"quay.io/a/b@{DIGEST}"),
         f"https://quay.io/repository/a/b/manifest/{DIGEST}"),
        ("kubevirt", "", ReleaseImage(digest_ref=f"registry.example.com/a/b@{DIGEST}"), None),
        ("kubevirt", "", ReleaseImage(digest_ref="quay.io"), None),
    ],
)  # fmt: skip
def test_the_link_of_an_image(key: str, region: str, image: ReleaseImage, link: str | None) -> None:
    assert image_link(UPLOADS[key], region, image) == link


@pytest.mark.parametrize("key", UPLOADS)
def test_every_form_of_upload_is_known(key: str) -> None:
    image_link(UPLOADS[key], "", ReleaseImage())


WORDS = st.text(max_size=30)
HOSTS = ("console.aws.amazon.com", "console.amazonaws-us-gov.com", "console.amazonaws.cn")


@given(WORDS, WORDS, WORDS, WORDS)
@example("x.evil.com", "a", "b", "c")
@example("us-gov-west-1", "#", "quay.io/../evil@x", "//evil.com/")
def test_no_name_changes_the_host_or_the_page(region: str, image: str, reference: str, project: str) -> None:
    found = image_link(UPLOADS["amis"], region, ReleaseImage(image=image))
    if found is not None:
        parts = urlsplit(found)
        assert any(parts.hostname == f"{region}.{each}" for each in HOSTS)
        assert (parts.path, unquote(parts.fragment)) == ("/ec2/home", f"ImageDetails:imageId={image}")
    found = image_link(UPLOADS["gcp"], "", ReleaseImage(project=project, name=image))
    if found is not None:
        parts = urlsplit(found)
        assert (parts.hostname, parts.query, parts.fragment) == ("console.cloud.google.com", "", "")
        names = [unquote(each) for each in parts.path.split("/")]
        assert names == ["", "compute", "imagesDetail", "projects", project, "global", "images", image]
    found = image_link(
        Upload("x", UploadForm.CONTAINER), "", ReleaseImage(digest_ref=f"quay.io/{reference}@{image}")
    )
    if found is not None:
        parts = urlsplit(found)
        assert (parts.hostname, parts.query, parts.fragment) == ("quay.io", "", "")
    found = image_link(UPLOADS["azure"], "", ReleaseImage(url=reference))
    assert found is None or urlsplit(found).scheme in ("http", "https")

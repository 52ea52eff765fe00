"""Alibaba Cloud ECS: an image imported from OSS, and its copies in other regions."""

from bootimg.cloud.plugin import Uploader, Verb

from .replicating import plan_replication
from .uploading import plan_upload
from .visibility import plan_deprecation, plan_publication, plan_retirement, plan_sharing

UPLOADER = Uploader(
    name="aliyun",
    summary="Alibaba Cloud ECS: images and their snapshots",
    extra="alibaba",
    settings={
        "primary_region": "the region where the image is made; copies are made from there",
        "regions": "the regions to copy to; without it all that the account has",
        "skipped_regions": "regions that no image is copied to",
        "bucket": "bucket and prefix in OSS, from where ECS imports the artifact",
        "import_role": "the role of the import; default `AliyunECSImageImportDefaultRole`",
        "public": "make the image public when it is uploaded",
        "grant_users": "accounts that may use the image",
        "tags": "further tags, as NAME=VALUE",
        "ecs_endpoint": "the URL of ECS with {region} in it",
        "oss_endpoint": "the URL of OSS with {region} in it",
    },
    verbs={
        Verb.UPLOAD: plan_upload,
        Verb.REPLICATE: plan_replication,
        Verb.PUBLISH: plan_publication,
        Verb.SHARE: plan_sharing,
        Verb.DEPRECATE: plan_deprecation,
        Verb.RETIRE: plan_retirement,
    },
)

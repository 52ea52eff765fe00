"""Amazon EC2: an EBS snapshot of the disk, an AMI of the snapshot, its copies in other regions."""

from bootimg.cloud.plugin import Uploader, Verb

from .replicating import plan_replication
from .retiring import plan_retirement
from .uploading import plan_upload
from .visibility import plan_deprecation, plan_publication, plan_sharing

UPLOADER = Uploader(
    name="aws",
    summary="Amazon EC2: AMIs and their snapshots",
    extra="aws",
    settings={
        "primary_region": "the region where the image is made; copies are made from there",
        "regions": "the regions to copy to; without it all that the account has enabled",
        "skipped_regions": "regions that no image is copied to",
        "via": "`ebs` (the default) writes the snapshot directly, `s3` imports the artifact from a bucket",
        "bucket": "bucket and prefix for `via: s3`",
        "import_role": "the role of the import service for `via: s3`; default `vmimport`",
        "public": "make the image public when it is uploaded",
        "grant_users": "accounts that may use the image and its snapshot",
        "tags": "further tags, as NAME=VALUE",
        "winli_billing_code": "the billing product of images with a licence of Windows",
        "profile": "the profile in the SDK's configuration that has the credentials",
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

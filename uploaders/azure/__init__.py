"""Microsoft Azure: a page blob of the disk, a gallery image version of the blob in many regions."""

from bootimg.cloud.plugin import Uploader, Verb

from .replicating import plan_replication
from .retiring import plan_retirement
from .uploading import plan_upload
from .visibility import plan_deprecation, plan_publication, plan_sharing

UPLOADER = Uploader(
    name="azure",
    summary="Microsoft Azure: page blobs and gallery image versions",
    extra="azure",
    settings={
        "storage_account": "the storage account",
        "storage_container": "the container for blobs",
        "resource_group": "the resource group of storage account and gallery",
        "subscription": "the subscription; default `AZURE_SUBSCRIPTION_ID`",
        "gallery": "the compute gallery for image versions",
        "gallery_resource_group": "the resource group of the gallery, if it is another",
        "image_definition": "the image definition, one name or one for each architecture; default NAME-ARCH",
        "image_version": "the version, if it cannot be made of the build id",
        "primary_region": "the region of the image version; default the gallery's",
        "regions": "the regions to replicate to",
        "skipped_regions": "regions that no image is replicated to",
        "publish_as": "`community` (the default) or `latest`",
        "grant_users": "subscriptions that the gallery is shared with",
        "grant_tenants": "tenants that the gallery is shared with",
        "tags": "further tags, as NAME=VALUE",
        "blob_endpoint": "the URL of the storage account, in clouds other than the public one",
        "management_endpoint": "the URL of the resource manager, in clouds other than the public one",
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

"""IBM Cloud Object Storage: the artifact as an object in a bucket of each region.

IBM Cloud VPC and Power Virtual Server import their images from there.
"""

from bootimg.cloud.plugin import Uploader, Verb

from .replicating import plan_replication
from .uploading import plan_upload
from .visibility import plan_publication, plan_retirement

_SETTINGS = {
    "primary_region": "the region where the object is made; copies are made from there",
    "bucket": "the bucket without the region: `-REGION` is appended to it",
    "regions": "the regions to copy to; without it all with object storage",
    "skipped_regions": "regions that no object is copied to",
    "cloud_object_storage_service_instance": "the name of the service; it is not needed to use its buckets",
    "public": "let everybody read the object when it is uploaded",
    "endpoint": "the storage's URL with {region} in it, for private endpoints",
    "profile": "the profile in the SDK's configuration that has the credentials",
}
_VERBS = {
    Verb.UPLOAD: plan_upload,
    Verb.REPLICATE: plan_replication,
    Verb.PUBLISH: plan_publication,
    Verb.RETIRE: plan_retirement,
}
IBMCLOUD = Uploader(
    name="ibmcloud",
    summary="IBM Cloud: qcow2 disks in its object storage",
    extra="ibm",
    settings=_SETTINGS,
    verbs=_VERBS,
)
POWERVS = Uploader(
    name="powervs",
    summary="IBM Power Virtual Server: appliances in IBM Cloud's object storage",
    extra="ibm",
    settings=_SETTINGS,
    verbs=_VERBS,
)

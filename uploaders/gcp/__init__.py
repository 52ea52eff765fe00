"""Google Compute Engine: an object with the artifact in Cloud Storage, a global image of it, its family."""

from bootimg.cloud.plugin import Uploader, Verb

from .retiring import plan_retirement
from .uploading import plan_upload
from .visibility import plan_deprecation, plan_publication, plan_replication, plan_sharing

UPLOADER = Uploader(
    name="gcp",
    summary="Google Compute Engine: images and the objects that they are made of",
    extra="gcp",
    settings={
        "bucket": "bucket and prefix of the object that the image is made of",
        "project": "the project that has the image; default: the project of the credentials",
        "family": "the image's family, or a family for each architecture",
        "description": "the image's description; ${BUILDID}, ${BASEARCH} and ${DATE} are replaced",
        "licenses": "licences of the image: URLs, or names in the project; default: enable-vmx",
        "public": "let everybody with a Google account use the image when it is uploaded",
        "grant_users": "who may use the image, as user:NAME, group:NAME, serviceAccount:NAME or domain:NAME",
        "tags": "labels of the image, as NAME=VALUE",
        "acl": "the predefined ACL of the object, such as authenticatedRead; default: the bucket's rules",
        "storage_endpoint": "another address of Cloud Storage",
        "compute_endpoint": "another address of Compute Engine",
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

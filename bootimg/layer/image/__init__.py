"""The OCI image as data: references, manifests, configs and blobs."""

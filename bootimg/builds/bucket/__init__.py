"""A builds tree in a bucket: S3 and servers that speak the same."""

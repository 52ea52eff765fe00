"""The CoreOS layer: the OCI image that boot images are made from."""

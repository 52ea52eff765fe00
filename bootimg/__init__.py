"""bootimg turns a bootable OCI container image (the CoreOS layer) into boot images."""

"""What the layer declares about its installation: image.json, install configuration, kargs.d and others."""

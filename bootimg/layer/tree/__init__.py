"""The merged tree of the image's layers, and the tool tree made of it."""

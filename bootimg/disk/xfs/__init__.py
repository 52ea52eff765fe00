"""An XFS made and filled without a kernel, a mount or a privilege."""

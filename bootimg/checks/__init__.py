"""What must hold of a layer, a disk image and a build: rules, and what breaks them."""

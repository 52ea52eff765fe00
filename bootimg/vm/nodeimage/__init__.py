"""A node image over the system of a guest: the drive with the image, and the unit that mounts it."""

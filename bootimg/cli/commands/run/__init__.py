"""`bootimg run`: the verb, what it may be given, and the disk to install to."""

"""The disk: partition table, file systems, bootloaders, base disk and the patch of /boot."""

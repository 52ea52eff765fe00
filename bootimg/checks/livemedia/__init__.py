"""The rules for live media: the ISO, the PXE files and the system in them."""

"""What starts a live ISO where neither a BIOS nor UEFI does: one module for each kind of firmware."""

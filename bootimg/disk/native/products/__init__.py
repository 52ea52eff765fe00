"""What programs of the layer make for the bootloader, kept in the cache by what it is made from.

Programs of the layer run in the appliance only.  So the first disk with a bootloader starts the appliance
once; later layers with the same bootloader do not.
"""

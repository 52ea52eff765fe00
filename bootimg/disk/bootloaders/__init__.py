"""The bootloaders of a base disk: one module each, behind the protocol `Bootloader`."""

"""Console settings that several platforms share."""

SERIAL = ("serial --speed=115200", "terminal_input serial console", "terminal_output serial console")
SERIAL_LAST = ("console=tty0", "console=ttyS0,115200n8")
SCREEN_LAST = ("console=ttyS0,115200n8", "console=tty0")

"""The deployed system as data: what ostree leaves on the physical root and on /boot, without a kernel."""

"""The areas of a CoreOS ISO that are written after the build: Ignition config, network, kernel arguments."""

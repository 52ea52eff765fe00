"""qcow2: written plain or compressed, and read."""

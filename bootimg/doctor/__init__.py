"""What bootimg needs from a machine, and what this machine has."""

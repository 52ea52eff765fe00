"""What bootimg needs of a machine, and what this machine has."""

"""Making the base disks, and what the appliance gets for that."""

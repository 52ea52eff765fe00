"""Making the base disks, and the images that the appliance gets for it."""

"""From a layer and a request to the recipes of its disks."""

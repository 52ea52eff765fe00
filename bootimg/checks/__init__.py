"""The rules for layers, disk images and builds, and the checks that find breaches."""

"""Helpers of the tests: images, disks, servers and metadata made for them."""

"""What the tests of other architectures share."""

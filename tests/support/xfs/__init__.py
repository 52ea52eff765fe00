"""XFS images: trees to write, and independent readers and writers."""

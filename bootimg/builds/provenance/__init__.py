"""The provenance of a build: an in-toto statement of what its artifacts were made from, and how."""

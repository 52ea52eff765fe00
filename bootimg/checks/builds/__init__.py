"""The rules for a folder of a builds tree: its metadata, artifacts, signatures and provenance."""

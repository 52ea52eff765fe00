"""Fetching an image: registries, archives, directories and container storage, and archiving it again."""

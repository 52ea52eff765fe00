"""Importing the layer into an ostree repository."""

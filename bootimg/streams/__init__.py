"""Streams: their versions, and the metadata that installers read."""

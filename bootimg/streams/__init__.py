"""Metadata of published builds: versions, release.json, the stream JSON that installers read."""

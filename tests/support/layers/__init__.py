"""Layers, manifests and commits to build from."""

"""Reads an XFS without a kernel: folders, files and where their content is on the disk."""

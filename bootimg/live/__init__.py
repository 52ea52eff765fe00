"""Live media: ISO and PXE files."""

"""Release and stream metadata: read, written, merged and compared."""

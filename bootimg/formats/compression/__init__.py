"""Compression and decompression as streams, with digests in the same pass."""

"""ISO images: a writer and a reader of ISO 9660, and what a live ISO has besides its files."""

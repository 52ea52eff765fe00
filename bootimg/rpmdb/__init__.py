"""The packages of an image: read, listed, compared, described."""

"""Version schemes, and the version of a stream's next build."""

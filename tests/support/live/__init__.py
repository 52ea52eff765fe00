"""Live media, their files, and what they start."""

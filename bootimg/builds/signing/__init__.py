"""Making and checking detached signatures of a build."""

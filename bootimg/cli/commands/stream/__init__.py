"""`bootimg stream`: one module for a group of its verbs."""

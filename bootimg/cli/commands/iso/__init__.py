"""The verbs of `bootimg iso`."""

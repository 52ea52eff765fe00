"""The facts about each architecture: one row each.  Read them as `Arch.row`."""

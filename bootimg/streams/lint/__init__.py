"""Checks whether a stream may be published: the rules and their findings."""

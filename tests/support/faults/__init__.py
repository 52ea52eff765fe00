"""Faults of storage on purpose: a library that a program loads first, and that fails calls below a folder."""

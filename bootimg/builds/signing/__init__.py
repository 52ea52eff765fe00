"""Detached signatures of a build, made and checked."""

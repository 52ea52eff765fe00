"""Uploads of a build: which, from what, with which settings; `bootimg.cloud` does the rest."""

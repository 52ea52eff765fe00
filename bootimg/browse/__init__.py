"""The release browser: a tree of builds, and streams made of it, as a folder of plain HTML."""

"""The release browser: shows a tree of builds, and its streams, as a folder of plain HTML."""

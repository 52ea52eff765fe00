"""ostree's view of a layer: objects, commits, refs and the rules of its layout."""

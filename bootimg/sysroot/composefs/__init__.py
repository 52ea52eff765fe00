"""The composefs image of a commit, `.ostree.cfs`: an EROFS whose files are redirects to loose objects.

Sources: the EROFS on-disk format (Linux, Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h) and
composefs' description of its own use of it (man/composefs.md, version 0 of the format, 1.0.8).
"""

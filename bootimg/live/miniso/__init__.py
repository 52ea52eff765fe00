"""miniso.dat: what a minimal ISO has beside the files that it shares with its full ISO.

A minimal ISO has no rootfs; its live system fetches it by `coreos.live.rootfs_url=`.
"""

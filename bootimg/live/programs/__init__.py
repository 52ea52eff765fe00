"""The programs that make the live system's root file system: which ones there are, and how they run."""

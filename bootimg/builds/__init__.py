"""The tree of builds: files, locks and records; finding, fetching and removing builds."""

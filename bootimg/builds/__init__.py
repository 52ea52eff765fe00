"""The tree of builds: its files, locks, records and how builds are found, fetched and removed."""

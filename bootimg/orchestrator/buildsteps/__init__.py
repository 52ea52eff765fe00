"""The steps of a build before its artifacts: fetching, reading, importing, and the base disks."""

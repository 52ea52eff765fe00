"""A build's images made again from its archive, and compared with those that it has."""

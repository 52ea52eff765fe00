"""OVAs: the descriptor, its texts for each hypervisor, and the archive."""

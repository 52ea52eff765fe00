"""The cluster's own namespaces on this machine, and the processes in them."""

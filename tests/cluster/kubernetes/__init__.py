"""Kubernetes on one node: etcd, the API server and its controllers, the node, and a client."""

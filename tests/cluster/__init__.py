"""A real Kubernetes with the real Tekton for one run of tests: `tox -e cluster`, docs/cluster-tests.md."""

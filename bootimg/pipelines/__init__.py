"""A team's pipeline on Tekton: what a run does, its objects, and what a cluster has of them."""

"""One build of several architectures: a request for each, made one after the other.

They are made one after the other because the steps of one already use all CPUs: artifacts are made side by
side within the budget of jobs and memory.  An architecture that fails leaves the others as they are.
"""

"""osmet files: a metal image without what the objects of an OSTree repository hold.

coreos-installer on live media makes the metal image from an osmet file and the live system's repository.
"""

"""The disk recipes, as osbuild manifests in the mpp dialect."""

"""The recipe: osbuild manifests in the mpp dialect, rendered and read as typed objects."""

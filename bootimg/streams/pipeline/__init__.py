"""The pipeline's file config.yaml: streams, their artifacts and destinations."""

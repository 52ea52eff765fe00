"""What reads the objects of pipelines/ as Tekton and Jenkins do."""

"""How each target is made: images, the archive, the SBOM, extensions."""

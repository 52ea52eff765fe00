"""The tars of the layers: read, written, merged."""
